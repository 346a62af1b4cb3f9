"""What CI shows: each file within its reader's limit, in its reader's format, and never greener than the verdict."""

import html
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from jivsbench.model.comparison import ComparisonOutcome, CriterionResult
from jivsbench.model.finding import CheckOutcome, Finding, Severity
from jivsbench.model.gate import GateOutcome
from jivsbench.model.inputs import Inputs, Waiver, WaiverTarget
from jivsbench.model.summary import VerdictOutcome
from jivsbench.report.annotations import MAX_OF_A_KIND, AnnotationsReporter
from jivsbench.report.badge import BadgeReporter
from jivsbench.report.markdown import MAX_COMMENT_BYTES, MAX_SUMMARY_BYTES, CommentReporter, MarkdownReporter, escape, fit
from jivsbench.report.openmetrics import OpenMetricsReporter
from jivsbench.report.problems import Weight, list_problems
from jivsbench.report.sarif import MAX_RESULTS, SarifReporter
from tests.gold.sample_runs import SAMPLES, comparison, one_arm
from tests.unit.analysis_records import build_check


def render(reporter, sample) -> str:
    """The text of one report."""
    return reporter.render(sample.record, sample.summary, sample.verdict).content.decode()


def flood(count, length=20):
    """A failed run with that many failed checks."""
    sample = one_arm()
    checks = tuple(build_check(f"X-{n}", Severity.CRITICAL, CheckOutcome.FAIL, [Severity.CRITICAL]) for n in range(count))
    checks = tuple(replace(check, title="t" * length, reason="r" * length) for check in checks)
    verdict = replace(sample.verdict, reasons=tuple(f"check {n} " + "r" * length for n in range(count)))
    return replace(sample, record=replace(sample.record, checks=checks), verdict=verdict)


@pytest.mark.parametrize("name", SAMPLES)
def test_sarif_is_valid(name):
    """By the schema of SARIF 2.1.0, for every sample, hostile names included; every result points at its own rule."""
    log = json.loads(render(SarifReporter(), SAMPLES[name]()))
    (run,) = log["runs"]

    Sarif.model_validate(log)
    rules = run["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in run["results"])
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert run["invocations"][0]["executionSuccessful"] == (name != "invalid")


def test_the_schema_would_catch_a_fault():
    """The classes refuse what the schema refuses."""
    log = json.loads(render(SarifReporter(), one_arm()))
    del log["runs"][0]["results"][0]["message"]

    with pytest.raises(ValueError, match="message"):
        Sarif.model_validate(log)


def test_a_security_finding_has_a_score_and_a_level():
    """CRITICAL is an error with a score from 9; what another scanner reported is there too."""
    sample = one_arm()
    found = (Finding("scan/A", Severity.CRITICAL, "hole", "a.py:7", ""), Finding("scan/B", Severity.LOW, "dust", "", ""))
    sample = replace(sample, verdict=replace(sample.verdict, inputs=Inputs("2030-01-01", findings=found)))
    (run,) = json.loads(render(SarifReporter(), sample))["runs"]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}

    assert float(rules["scan/A"]["properties"]["security-severity"]) >= 9
    assert [result["level"] for result in run["results"] if result["ruleId"].startswith("scan/")] == ["error", "note"]


@pytest.mark.no_cover
def test_sarif_keeps_its_limit_and_says_what_is_left_out():
    """Of more than 5,000 results the lightest go, with a notification."""
    log = json.loads(render(SarifReporter(), flood(MAX_RESULTS + 10)))

    Sarif.model_validate(log)
    assert len(log["runs"][0]["results"]) == MAX_RESULTS
    assert "results are left out" in log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


@pytest.mark.parametrize("name", SAMPLES)
def test_annotations_are_one_command_a_line(name):
    """At most ten errors and ten warnings, whatever stands in the names; nothing else in the file."""
    lines = render(AnnotationsReporter(), SAMPLES[name]()).splitlines()
    kinds = [re.fullmatch(r"::(error|warning|notice) title=[^:,]+::.+", line)[1] for line in lines]

    assert kinds.count("error") <= MAX_OF_A_KIND
    assert kinds.count("warning") <= MAX_OF_A_KIND
    assert kinds[-1] == "notice"
    assert "error" in kinds or SAMPLES[name]().verdict.outcome in (VerdictOutcome.PASSED, VerdictOutcome.CONDITIONAL)


def test_annotations_say_what_is_left_out():
    """GitHub drops the eleventh without a word; so the tenth names the rest."""
    lines = [line for line in render(AnnotationsReporter(), flood(30, 9000)).splitlines() if line.startswith("::error")]

    assert len(lines) == MAX_OF_A_KIND
    assert re.search(r"title=\d+ more errors::", lines[-1])


@pytest.mark.parametrize("name", SAMPLES)
def test_openmetrics_is_read_by_its_own_parser(name):
    """Families with types, units and samples; an invalid run has its outcome and no figure."""
    sample = SAMPLES[name]()
    families = {family.name: family for family in text_string_to_metric_families(render(OpenMetricsReporter(), sample))}
    outcome = {s.labels["jivsbench_run_outcome"]: s.value for s in families["jivsbench_run_outcome"].samples}

    assert [state for state, value in outcome.items() if value] == [sample.verdict.outcome]
    measured = sum(figure.value is not None for figure in sample.summary.figures)
    figures = [s for f in families.values() if f.type == "gauge" for s in f.samples]
    assert len(figures) == (0 if name == "invalid" else measured)


def test_openmetrics_keeps_the_figures_of_a_run_that_only_a_gate_made_invalid():
    """A gate that needs a longer run says nothing against what was measured."""
    sample = one_arm()
    verdict = replace(sample.verdict, outcome=VerdictOutcome.INVALID)
    text = OpenMetricsReporter().render(sample.record, sample.summary, verdict).content.decode()

    assert sample.record.invalid == ()
    assert "jivsbench_job_response_seconds{" in text


def test_openmetrics_has_base_units():
    """Milliseconds become seconds, percents ratios, MiB bytes."""
    sample = comparison()
    families = {family.name: family for family in text_string_to_metric_families(render(OpenMetricsReporter(), sample))}
    p95 = sample.summary.figure("optimized", "job.response", "p95").value
    (found,) = [
        s.value for s in families["jivsbench_job_response_seconds"].samples
        if s.labels["statistic"] == "p95" and s.labels["arm"] == "optimized"
    ]  # fmt: skip

    assert found == pytest.approx(p95 / 1000)
    assert families["jivsbench_target_memory_bytes"].unit == "bytes"
    assert families["jivsbench_cache_hits_ratio"].unit == "ratio"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_badge_says_the_verdict_in_a_word(name):
    """Well-formed, no script, no link to anywhere, the word beside the colour."""
    sample = SAMPLES[name]()
    text = render(BadgeReporter(), sample)
    root = ET.fromstring(text)

    assert root.findall("{*}g/{*}text")[1].text == sample.verdict.outcome.lower()
    assert not root.findall(".//{*}script")
    assert "href" not in text
    assert len(text) < 2000


@pytest.mark.no_cover
@pytest.mark.parametrize(("reporter", "limit"), [(CommentReporter(), MAX_COMMENT_BYTES), (MarkdownReporter(), MAX_SUMMARY_BYTES)])
def test_markdown_keeps_its_limit_and_says_what_is_left_out(reporter, limit):
    """GitHub refuses a longer one whole; the verdict stays at the top, the last line says how much is missing."""
    text = render(reporter, flood(6000, 400))

    assert len(text.encode()) <= limit
    assert text.startswith("## :x: FAILED")
    assert re.search(r"_\d+ of \d+ lines do not fit here: see report.html._\n\Z", text)
    assert len(text.encode()) > limit - 2000


def test_a_criterion_that_is_worse_is_a_failure_whatever_else_there_is():
    """A finding of low severity beside it hides nothing: annotations show an error."""
    sample = comparison()
    worse = CriterionResult("job.response", "mean", ComparisonOutcome.WORSE, 1.2, 1.1, 1.3, 0.95, 12, "slower")
    remark = replace(build_check("X-1", Severity.LOW, CheckOutcome.FAIL, [Severity.LOW]))
    record = replace(sample.record, checks=(remark,))
    verdict = replace(sample.verdict, outcome=VerdictOutcome.FAILED, criteria=(worse,))

    assert list_problems(record, verdict)[0].weight is Weight.FAILURE
    assert "::error" in render(AnnotationsReporter(), replace(sample, record=record, verdict=verdict))


@given(st.text(max_size=400), st.integers(120, 300))
def test_a_text_is_cut_at_whole_lines_and_characters(text, limit):
    """Never longer than the limit, always valid text, unchanged when it fits."""
    content = text.encode("utf-8", "ignore")
    found = fit(content, limit)

    assert len(found) <= limit
    assert found == content if len(content) <= limit else found.decode().startswith(content[:1].decode("utf-8", "ignore"))


def test_problems_are_sorted_by_their_weight():
    """What fails the run comes first; an expired waiver alone is a problem too."""
    problems = list_problems(one_arm().record, one_arm().verdict)
    passed = comparison()
    expired = replace(passed.verdict, outcome=VerdictOutcome.FAILED, reasons=("the waiver of gate 'x' expired",))

    assert [problem.weight for problem in problems] == sorted(problem.weight for problem in problems)
    assert any(result.outcome is GateOutcome.FAILED for result in one_arm().verdict.gates)
    assert problems[0].weight is Weight.FAILURE
    sound = tuple(replace(arm, job_errors=0) for arm in passed.record.arms)
    checked = replace(passed.record, checks=(), arms=sound)
    assert [problem.rule for problem in list_problems(checked, expired)] == ["run.verdict"]


def test_what_fails_a_run_by_itself_is_told_beside_a_gate_that_somebody_answers_for():
    """An expired waiver and an early end are the reasons of the verdict; the waived gate is none."""
    waived, gone = (
        Waiver(WaiverTarget.GATE, name, "ann", "known", day) for name, day in (("A", "2030-12-31"), ("B", "2030-01-01"))
    )
    sample = one_arm()
    ended = replace(sample.record, aborted="gate 'C' was missed for 30 s")
    verdict = replace(sample.verdict, inputs=Inputs("2030-06-15", waivers=(waived, gone)))
    told = {problem.rule: problem for problem in list_problems(ended, verdict)}
    annotations = render(AnnotationsReporter(), replace(sample, record=ended, verdict=verdict))

    assert told["waiver.expired"].weight is told["run.aborted"].weight is Weight.FAILURE
    assert "expired on 2030-01-01" in told["waiver.expired"].text
    assert "::error title=Nobody answers any more for gate B::the waiver of gate 'B' by ann expired" in annotations
    assert "was missed for 30 s" in annotations
    assert "gate 'A'" not in annotations


def test_checks_that_were_left_out_are_a_warning():
    """CI shows why a run with a few green checks is CONDITIONAL."""
    sample = comparison()
    record = replace(sample.record, score=replace(sample.record.score, not_run=34))
    problems = {problem.rule: problem for problem in list_problems(record, sample.verdict)}

    assert problems["security.not-run"].weight is Weight.CONDITION
    assert "34 security checks were not run" in problems["security.not-run"].text
    assert "::warning title=Security checks were left out::34 " in render(AnnotationsReporter(), replace(sample, record=record))


@pytest.mark.parametrize("code", [":x:", ":white_check_mark:", ":+1:", ":8ball:", ":100:", "a:x:", ":heavy-sign:"])
def test_an_emoji_of_others_stays_a_text_in_markdown(code):
    """A character of no width stands behind its first colon; signs of our own are no text of others."""
    found = escape(f"name {code} end")

    assert ":&#8203;" in found
    assert re.search(r":[\w+-]+:", found.replace("\\", "")) is None
    assert html.unescape(found).replace("\u200b", "").replace("\\", "") == f"name {code} end"


def test_a_time_is_no_emoji():
    """Nothing is put into what does nothing."""
    assert escape("2030-01-02T03:04:05+00:00, note: x") == "2030-01-02T03:04:05+00:00, note: x"
