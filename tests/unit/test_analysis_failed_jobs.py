"""Speed does not make up for failures: a candidate that fails at once, or hands out wrong rows, never passes."""

from dataclasses import replace

import pytest

from jivsbench.analysis import judge, summarize
from jivsbench.model.comparison import ComparisonOutcome, ComparisonRule, Criterion
from jivsbench.model.gate import GateOutcome
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.record import RunRecord
from jivsbench.model.sample import ErrorClass, ErrorCount
from jivsbench.model.summary import Verdict, VerdictOutcome
from jivsbench.report.problems import Weight, list_problems
from tests.unit.analysis_records import build_comparison, change_arm

FASTER = build_comparison()
FASTER = replace(FASTER, plan=replace(FASTER.plan, rule=ComparisonRule((Criterion("job.response", "mean"),), 0.05, 0.05, (12,))))
TRIED = FASTER.arms[1].totals.created


def judged(record: RunRecord) -> Verdict:
    """By its rule alone."""
    return judge(record, summarize(record), ())


def fail(record: RunRecord, *counts: int) -> RunRecord:
    """So many failed jobs of the baseline and of the candidate, none of which the totals count as created."""
    arms = (replace(arm, job_errors=count) for arm, count in zip(record.arms, counts, strict=True))
    return replace(record, arms=tuple(arms))


@pytest.mark.parametrize(
    ("baseline", "candidate", "outcome"),
    [
        (0, 0, VerdictOutcome.PASSED),
        (0, 1, VerdictOutcome.CONDITIONAL),
        (1, 0, VerdictOutcome.CONDITIONAL),
        (20, 20, VerdictOutcome.CONDITIONAL),
        (0, 30, VerdictOutcome.FAILED),
        (20, 80, VerdictOutcome.FAILED),
        (80, 20, VerdictOutcome.CONDITIONAL),
    ],
)
def test_a_faster_candidate_that_fails_more_jobs_fails(baseline, candidate, outcome):
    """Better by its durations in every case; a few failures that chance explains are a condition, never silence."""
    verdict = judged(fail(FASTER, baseline, candidate))

    assert [result.outcome for result in verdict.criteria] == [ComparisonOutcome.BETTER]
    assert verdict.outcome is outcome


def test_gates_alone_forgive_no_failed_job():
    """Without a rule as with one: wrong rows and more failures fail it, and what chance explains is a condition."""
    without_rule = replace(FASTER, plan=replace(FASTER.plan, rule=None))
    gates = (parse_gate("job.response mean reduction >= 1 %"),)
    wrong = (ErrorCount(ErrorClass.WRONG_ROWS, "fewer", 500), ErrorCount(ErrorClass.JOB_FAILED, "failed", 500))
    records = {
        VerdictOutcome.PASSED: without_rule,
        VerdictOutcome.CONDITIONAL: fail(without_rule, 0, 1),
        VerdictOutcome.FAILED: fail(without_rule, 0, 30),
    }

    for outcome, record in records.items():
        assert judge(record, summarize(record), gates).outcome is outcome
    spoilt = change_arm(without_rule, all_errors=wrong, job_errors=1000)
    verdict = judge(spoilt, summarize(spoilt), gates)
    assert verdict.outcome is VerdictOutcome.FAILED
    assert verdict.gates[0].outcome is GateOutcome.MET
    assert {problem.rule for problem in list_problems(spoilt, verdict)} == {"run.failed_jobs"}


def test_what_failed_is_said_with_its_counts():
    """Of which side, and of how many."""
    (reason,) = judged(fail(FASTER, 1, 30)).reasons

    assert f"30 of {TRIED} jobs of optimized failed" in reason
    assert "1 of 100 jobs of legacy failed" in reason
    (condition,) = judged(fail(FASTER, 1, 0)).conditions
    assert condition == "1 of 100 jobs of legacy failed: their durations were compared as well"


def test_ci_is_told_beside_whatever_else_is_open():
    """Another criterion that is not settled must not hide why the comparison failed."""
    rule = replace(FASTER.plan.rule, criteria=(*FASTER.plan.rule.criteria, Criterion("target.cpu_per_million_rows", "mean")))
    record = fail(replace(FASTER, plan=replace(FASTER.plan, rule=rule)), 0, 30)
    told = {problem.rule: problem.weight for problem in list_problems(record, judged(record))}

    assert told == {"run.failed_jobs": Weight.FAILURE, "comparison/target.cpu_per_million_rows/mean": Weight.DOUBT}
    assert [problem.weight for problem in list_problems(fail(FASTER, 1, 0), judged(fail(FASTER, 1, 0)))] == [Weight.CONDITION]


def test_wrong_rows_fail_at_any_speed():
    """A single job of the candidate is enough; the baseline's are only told."""
    wrong = change_arm(FASTER, all_errors=(ErrorCount(ErrorClass.WRONG_ROWS, "fewer", 1),), job_errors=1)
    verdict = judged(wrong)

    assert verdict.outcome is VerdictOutcome.FAILED
    assert verdict.reasons == ("1 jobs of optimized returned wrong rows: no speed makes up for that",)


def test_a_candidate_whose_every_job_is_the_only_one_that_failed():
    """Nothing was tried at the baseline: there is no share to compare, and it is still not passed."""
    idle = replace(FASTER.arms[0], totals=replace(FASTER.arms[0].totals, created=0), series=())
    record = fail(replace(FASTER, arms=(idle, FASTER.arms[1])), 0, 5)

    assert judged(record).outcome is not VerdictOutcome.PASSED
