"""Criteria of a comparison stand in every report, and an open one does not make the figures worthless."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from jivsbench.analysis import judge, summarize
from jivsbench.model.comparison import ComparisonRule, Criterion
from jivsbench.report.html import HtmlReporter
from jivsbench.report.junit import JunitReporter
from jivsbench.report.markdown import MarkdownReporter
from tests.unit.analysis_records import build_comparison

RULE = ComparisonRule((Criterion("job.response", "mean"),), 0.05, 0.05, (6,))


def render(speedup: float, pairs: int = 6, invalid: tuple[str, ...] = ()) -> dict[str, str]:
    """Every report of a comparison whose pairs all show that speed-up."""
    record = build_comparison(pairs, speedup=speedup)
    record = replace(record, invalid=invalid, plan=replace(record.plan, rule=RULE))
    summary = summarize(record)
    verdict = judge(record, summary, ())
    reporters = {"html": HtmlReporter(), "junit": JunitReporter(), "markdown": MarkdownReporter()}
    return {name: reporter.render(record, summary, verdict).content.decode() for name, reporter in reporters.items()}


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


def test_an_invalid_run_has_no_conclusion_that_counts():
    """Whatever the blocks say."""
    reports = render(2.0, invalid=("the load generator was saturated",))

    assert "The candidate is better." not in reports["html"]
    case = next(case for case in ET.fromstring(reports["junit"]).iter("testcase") if case.get("name") == "job.response mean")
    assert case.find("skipped") is not None
