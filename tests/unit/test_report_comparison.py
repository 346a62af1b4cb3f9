"""Criteria of a comparison stand in every report, and an open one does not make the figures worthless."""

import math
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from jivsbench.analysis import judge, summarize
from jivsbench.model.comparison import ComparisonOutcome, ComparisonRule, Criterion
from jivsbench.model.finding import CheckOutcome, Severity
from jivsbench.model.summary import VerdictOutcome
from jivsbench.report.html import HtmlReporter
from jivsbench.report.junit import JunitReporter
from jivsbench.report.markdown import MarkdownReporter
from jivsbench.report.views.headline import explain_verdict
from tests.unit.analysis_records import build_check, build_comparison

RULE = ComparisonRule((Criterion("job.response", "mean"),), 0.05, 0.05, (6,))


def render(speedup: float, pairs: int = 6, invalid: tuple[str, ...] = ()) -> dict[str, str]:
    """Every report of a comparison whose pairs all show that speed-up."""
    record = build_comparison(pairs, speedup=speedup)
    record = replace(record, invalid=invalid, plan=replace(record.plan, rule=RULE))
    summary = summarize(record)
    verdict = judge(record, summary, ())
    reporters = {"html": HtmlReporter(), "junit": JunitReporter(), "markdown": MarkdownReporter()}
    return {name: reporter.render(record, summary, verdict).content.decode() for name, reporter in reporters.items()}


@pytest.mark.parametrize("mean_ns", [5e-324, 1e-300, 1e300, 0.0])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_duration_that_no_clock_tells_breaks_no_report(mean_ns, processes):
    """A stored ratio beyond what a number holds ranks last, as if the block had completed nothing; it is not drawn."""
    record = build_comparison(6)
    blocks = [replace(block, process=block.pair % processes) for block in record.arms[0].blocks]
    blocks[0] = replace(blocks[0], job_mean_ns=mean_ns)
    record = replace(record, arms=(replace(record.arms[0], blocks=tuple(blocks)), record.arms[1]))
    summary = summarize(record)

    assert 0 < summary.effect("job.response", "mean").ratio < math.inf
    assert HtmlReporter().render(record, summary, judge(record, summary, ()))


@pytest.mark.parametrize(
    ("speedup", "pairs", "word", "sentence", "failures"),
    [
        (0.5, 6, "WORSE", "The candidate is worse.", 2),
        (2.0, 6, "BETTER", "The candidate is better.", 0),
        (1.0, 6, "EQUIVALENT", "The candidate is as good as the baseline, within the margin.", 0),
        (1.0, 5, "INCONCLUSIVE", "is not known yet: measure longer.", 1),
    ],
)
def test_the_conclusion_stands_in_every_report(speedup, pairs, word, sentence, failures):
    """The word, the sentence, the margin; CI counts what is not green as a failure."""
    reports = render(speedup, pairs)

    for name in ("html", "markdown"):
        assert word in reports[name]
        assert sentence in reports[name]
        assert "no change beyond 5 %" in reports[name]
        assert "the run is invalid" not in reports[name]
    assert len(ET.fromstring(reports["junit"]).findall(".//failure")) == failures


@pytest.mark.parametrize("speedup", [2.0, 1.0])
def test_what_stands_against_a_run_is_not_explained_by_who_is_better(speedup):
    """A CRITICAL finding fails it, whatever its criteria say; a worse candidate would be the reason itself."""
    hole = build_check("SEC-001", Severity.CRITICAL, CheckOutcome.FAIL, [Severity.CRITICAL])
    record = build_comparison(6, speedup=speedup)
    record = replace(record, checks=(hole,), plan=replace(record.plan, rule=RULE))
    verdict = judge(record, summarize(record), ())
    worse = replace(verdict, criteria=tuple(replace(found, outcome=ComparisonOutcome.WORSE) for found in verdict.criteria))

    assert verdict.outcome is VerdictOutcome.FAILED
    assert explain_verdict(verdict, is_valid=True) == "No gate was missed, but something else stands against it."
    assert explain_verdict(worse, is_valid=True) == "The candidate is worse."
    assert explain_verdict(replace(verdict, outcome=VerdictOutcome.INVALID), is_valid=True).startswith("The figures below count.")


def test_an_invalid_run_has_no_conclusion_that_counts():
    """Whatever the blocks say."""
    reports = render(2.0, invalid=("the load generator was saturated",))

    assert "The candidate is better." not in reports["html"]
    case = next(case for case in ET.fromstring(reports["junit"]).iter("testcase") if case.get("name") == "job.response mean")
    assert case.find("skipped") is not None
