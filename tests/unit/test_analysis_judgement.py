from dataclasses import replace

import pytest

from jivsbench.analysis import judge, summarize
from jivsbench.checks.score import score
from jivsbench.model.finding import CheckOutcome, Severity
from jivsbench.model.gate import GateOutcome, Unit
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.summary import Effect, Environment, Figure, Provenance, Summary, VerdictOutcome
from tests.unit.analysis_records import build_arm_record, build_check, build_comparison, build_record

RUN = build_record(build_arm_record())
GREEN = "job.errors ratio < 1 %"
RED = "job.response p95 < 50 ms"


def figure(value, metric="job.response", statistic="p95", unit=Unit.MILLISECONDS, provenance=Provenance.MEASURED):
    """A figure of the candidate."""
    return Figure("optimized", metric, statistic, value, unit, 100, provenance, "method")


def effect(ratio, low=None, high=None, metric="job.response", statistic="p95"):
    """An effect with its interval."""
    return Effect(metric, statistic, "legacy", "optimized", ratio, low, high, 0.95, 12, "no interval: 3 pairs")


def judge_one(text, summary, record=RUN):
    """The end of one gate."""
    return judge(record, summary, (parse_gate(text),)).gates[0]


def judge_run(*gates, record=RUN):
    """The verdict of a run by its own summary."""
    return judge(record, summarize(record), tuple(parse_gate(gate) for gate in gates))


@pytest.mark.parametrize(
    ("text", "value", "outcome"),
    [
        ("job.response p95 < 100 ms", 99.999999999, GateOutcome.MET),
        ("job.response p95 < 100 ms", 100.0, GateOutcome.FAILED),
        ("job.response p95 <= 100 ms", 100.0, GateOutcome.MET),
        ("job.response p95 <= 100 ms", 100.000000001, GateOutcome.FAILED),
        ("job.response p95 < 100 ms goal 50 ms", 49.9, GateOutcome.EXCEEDED),
        ("job.response p95 < 100 ms goal 50 ms", 50.0, GateOutcome.MET),
        ("job.response p95 <= 100 ms goal 50 ms", 50.0, GateOutcome.EXCEEDED),
        ("job.response p95 < 100 ms", None, GateOutcome.NO_DATA),
    ],
)
def test_an_absolute_gate_compares_the_unrounded_figure(text, value, outcome):
    """The limit itself and a billionth beside it."""
    result = judge_one(text, Summary((figure(value),), ()))

    assert result.outcome is outcome
    assert result.value == value


def test_the_stated_number_always_stands_on_its_own_side_of_the_limit():
    """55.9999 % against 56 % is not shown as 56 %."""
    result = judge_one("job.response p95 <= 56 ms", Summary((figure(56.0000001),), ()))

    assert result.outcome is GateOutcome.FAILED
    assert result.reason == "p95 is 56.1 ms (limit <= 56 ms)"


@pytest.mark.parametrize(
    ("text", "low", "high", "outcome"),
    [
        ("job.response p95 reduction >= 30 %", 0.50, 0.69, GateOutcome.MET),
        ("job.response p95 reduction >= 30 % goal 56 %", 0.40, 0.43, GateOutcome.EXCEEDED),
        ("job.response p95 reduction >= 30 % goal 56 %", 0.40, 0.45, GateOutcome.MET),
        ("job.response p95 reduction >= 30 %", 0.60, 0.80, GateOutcome.INCONCLUSIVE),
        ("job.response p95 reduction >= 30 %", 0.75, 0.90, GateOutcome.FAILED),
        ("job.response p95 growth <= 10 %", 0.95, 1.05, GateOutcome.MET),
        ("job.response p95 growth <= 10 %", 1.05, 1.20, GateOutcome.INCONCLUSIVE),
        ("job.response p95 growth <= 10 %", 1.11, 1.20, GateOutcome.FAILED),
        ("job.response p95 reduction >= 30 %", None, None, GateOutcome.INCONCLUSIVE),
    ],
)
def test_a_relative_gate_is_judged_by_the_worse_bound_of_the_interval(text, low, high, outcome):
    """The estimate alone never makes a gate green."""
    result = judge_one(text, Summary((), (effect(0.5, low, high),)))

    assert result.outcome is outcome


def test_a_gain_of_throughput_reads_the_interval_the_right_way_round():
    """Improvement is candidate / baseline - 1, with its bounds in order."""
    gain = effect(2.1, 1.9, 2.3, "throughput.records", "rate")
    result = judge_one("throughput.records rate improvement >= 50 % goal 100 %", Summary((), (gain,)))

    assert result.outcome is GateOutcome.MET
    assert (result.value, result.low, result.high) == pytest.approx((110, 90, 130))


@pytest.mark.parametrize(
    ("ratio", "outcome"),
    [(0.6, GateOutcome.EXCEEDED), (1.0, GateOutcome.MET), (1.001, GateOutcome.FAILED), (None, GateOutcome.NO_DATA)],
)
def test_what_an_arm_has_once_is_judged_by_its_plain_ratio(ratio, outcome):
    """A maximum has no pairs, so an interval cannot be asked of it."""
    summary = Summary((), (effect(ratio, metric="target.memory", statistic="max"),))

    assert judge_one("target.memory max growth <= 0 % goal -36 %", summary).outcome is outcome


def test_a_figure_that_does_not_exist_is_no_data():
    """A gate on a figure or effect that the run lacks is never green."""
    assert judge_one(GREEN, Summary((), ())).outcome is GateOutcome.NO_DATA
    assert judge_one("job.response p95 reduction >= 30 %", Summary((), ())).outcome is GateOutcome.NO_DATA


def test_imported_figures_are_refused_by_absolute_and_relative_gates():
    """Only what this run measured or derived counts, however good an imported number looks."""
    imported = figure(1.0, provenance=Provenance.IMPORTED)
    summary = Summary((imported,), (effect(0.1, 0.1, 0.1),))

    for text in ("job.response p95 < 100 ms", "job.response p95 reduction >= 30 %"):
        result = judge_one(text, summary)
        assert result.outcome is GateOutcome.NO_DATA
        assert "imported" in result.reason


def test_a_figure_in_a_foreign_unit_is_no_data():
    """Percent against milliseconds compares nothing."""
    assert judge_one(RED, Summary((figure(1.0, unit=Unit.PERCENT),), ())).outcome is GateOutcome.NO_DATA


def test_absolute_gates_judge_the_candidate():
    """In a comparison the slow baseline does not fail the fast candidate."""
    verdict = judge_run("job.response p95 < 60 ms", record=build_comparison())

    assert verdict.outcome is VerdictOutcome.PASSED
    assert verdict.gates[0].value == pytest.approx(50, rel=0.001)


def test_a_green_run_passes_without_reasons_or_conditions():
    """Every gate green, every check passed."""
    verdict = judge_run(GREEN)

    assert verdict.outcome is VerdictOutcome.PASSED
    assert (verdict.reasons, verdict.conditions) == ((), ())


def test_without_a_gate_a_run_never_passes_silently():
    """Nobody judged it, and that is a condition."""
    verdict = judge_run()

    assert verdict.outcome is VerdictOutcome.CONDITIONAL
    assert "no gate judged this run" in verdict.conditions


def test_a_missed_gate_fails_the_run_with_its_text_and_figure():
    """The reason alone says what was asked and what was found."""
    verdict = judge_run(RED, GREEN)

    assert verdict.outcome is VerdictOutcome.FAILED
    assert verdict.reasons == ("gate 'job.response p95 < 50 ms' FAILED: p95 is 100 ms (limit < 50 ms)",)


def test_a_gate_without_data_fails_the_run():
    """No samples never pass."""
    assert judge_run("statistics.response p95 < 50 ms").outcome is VerdictOutcome.FAILED


def test_a_missed_warning_is_a_condition():
    """Staging may have it, production not yet."""
    verdict = judge_run(GREEN, f"{RED} warn")

    assert verdict.outcome is VerdictOutcome.CONDITIONAL
    assert [approval.is_approved for approval in verdict.approvals] == [True, False]
    assert "job.response p95 < 50 ms warn" in verdict.conditions[0]


def test_a_failed_run_has_no_conditions_but_keeps_them_as_reasons():
    """Nothing is approved, so there is nothing to attach a condition to; nothing is forgotten either."""
    verdict = judge_run(RED, f"{RED} warn")

    assert verdict.outcome is VerdictOutcome.FAILED
    assert verdict.conditions == ()
    assert len(verdict.reasons) == 2


def test_an_inconclusive_gate_makes_the_run_invalid_unless_something_failed():
    """Not knowing is exit 4; knowing of a failure is exit 1."""
    inconclusive = "job.response p95 reduction >= 30 %"
    record = build_comparison(3)

    assert judge_run(inconclusive, record=record).outcome is VerdictOutcome.INVALID
    assert judge_run(inconclusive, "job.response p95 < 1 ms", record=record).outcome is VerdictOutcome.FAILED
    assert judge_run(f"{inconclusive} warn", record=record).outcome is VerdictOutcome.CONDITIONAL


def test_an_invalid_record_is_invalid_whatever_its_figures_say():
    """Its gates are shown, but they say nothing about the target."""
    record = replace(RUN, invalid=("the load generator used 99% of its core",))

    for gate in (GREEN, RED):
        verdict = judge_run(gate, record=record)
        assert verdict.outcome is VerdictOutcome.INVALID
        assert verdict.reasons[0] == "the load generator used 99% of its core"


@pytest.mark.parametrize(
    ("check", "outcome"),
    [
        (build_check(), VerdictOutcome.PASSED),
        (build_check(outcome=CheckOutcome.NOT_APPLICABLE), VerdictOutcome.PASSED),
        (build_check(severity=Severity.MEDIUM, outcome=CheckOutcome.FAIL), VerdictOutcome.PASSED),
        (build_check(severity=Severity.LOW, outcome=CheckOutcome.NOT_TESTED), VerdictOutcome.CONDITIONAL),
        (build_check(outcome=CheckOutcome.FAIL), VerdictOutcome.CONDITIONAL),
        (build_check(severity=Severity.LOW, outcome=CheckOutcome.FAIL, findings=[Severity.HIGH]), VerdictOutcome.CONDITIONAL),
        (build_check(outcome=CheckOutcome.INVALID), VerdictOutcome.INVALID),
        (build_check(severity=Severity.CRITICAL, outcome=CheckOutcome.FAIL), VerdictOutcome.FAILED),
        (build_check(severity=Severity.LOW, outcome=CheckOutcome.FAIL, findings=[Severity.CRITICAL]), VerdictOutcome.FAILED),
    ],
)
def test_open_findings_weigh_by_their_severity(check, outcome):
    """Only CRITICAL fails, only HIGH and what was not tested set conditions, a check that failed its self-test says nothing."""
    record = build_record(build_arm_record(), checks=(build_check("SEC-000"), check))

    assert judge_run(GREEN, record=record).outcome is outcome


@pytest.mark.parametrize("not_run", [1, 34])
def test_checks_that_were_left_out_hold_production(not_run):
    """Nothing is known of what they would have attacked: staging may have the version, production waits."""
    checks = (build_check("SEC-001"), build_check("SEC-003"))
    record = replace(build_record(build_arm_record(), checks=checks), score=score(checks, not_run))
    verdict = judge_run(GREEN, record=record)

    assert verdict.outcome is VerdictOutcome.CONDITIONAL
    assert [a.environment for a in verdict.approvals if a.is_approved] == [Environment.STAGING]
    assert any(text.startswith(f"{not_run} security check") and "not run" in text for text in verdict.conditions)


def test_checks_that_all_ran_hold_nothing():
    """A full set of green checks is PASSED."""
    checks = (build_check("SEC-001"),)
    record = replace(build_record(build_arm_record(), checks=checks), score=score(checks, 0))

    assert judge_run(GREEN, record=record).outcome is VerdictOutcome.PASSED
