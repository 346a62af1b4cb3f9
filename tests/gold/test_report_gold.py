"""Reports against their gold files. JIVSBENCH_UPDATE_GOLD=1 writes them again; look at the difference before you commit it."""

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from jivsbench.report.annotations import AnnotationsReporter
from jivsbench.report.badge import BadgeReporter
from jivsbench.report.html import HtmlReporter
from jivsbench.report.json import JsonReporter
from jivsbench.report.junit import JunitReporter
from jivsbench.report.markdown import CommentReporter, MarkdownReporter
from jivsbench.report.openmetrics import OpenMetricsReporter
from jivsbench.report.sarif import SarifReporter
from tests.gold.outline import outline_page
from tests.gold.sample_runs import HOSTILE, SAMPLES, Sample

FILES = Path(__file__).parent / "files"


def _compare(name: str, text: str) -> None:
    file = FILES / name
    if os.environ.get("JIVSBENCH_UPDATE_GOLD") == "1":
        FILES.mkdir(exist_ok=True)
        file.write_text(text)

    assert file.exists(), f"{file} is missing: run this test with JIVSBENCH_UPDATE_GOLD=1"
    assert text == file.read_text(), f"{file} differs: if that is right, run this test with JIVSBENCH_UPDATE_GOLD=1"


def _junit(sample: Sample) -> ET.Element:
    return ET.fromstring(JunitReporter().render(sample.record, sample.summary, sample.verdict).content)


@pytest.mark.parametrize("name", SAMPLES)
def test_markdown_is_as_agreed(name: str) -> None:
    """summary.md equals its gold file."""
    sample = SAMPLES[name]()

    _compare(f"{name}.md", MarkdownReporter().render(sample.record, sample.summary, sample.verdict).content.decode())


@pytest.mark.parametrize("name", SAMPLES)
def test_junit_is_as_agreed(name: str) -> None:
    """junit.xml equals its gold file."""
    sample = SAMPLES[name]()

    _compare(f"{name}.junit.xml", JunitReporter().render(sample.record, sample.summary, sample.verdict).content.decode())


@pytest.mark.parametrize("reporter", [AnnotationsReporter, BadgeReporter, OpenMetricsReporter, SarifReporter])
@pytest.mark.parametrize("name", SAMPLES)
def test_what_ci_shows_is_as_agreed(name: str, reporter) -> None:
    """Annotations, badge, metrics and SARIF equal their gold files."""
    sample = SAMPLES[name]()

    report = reporter().render(sample.record, sample.summary, sample.verdict)
    _compare(f"{name}.{report.filename}", report.content.decode())


def test_what_programs_read_is_as_agreed() -> None:
    """run.json equals its gold file; of a run without load, for the samples of the others would be megabytes."""
    sample = SAMPLES["no_data"]()

    _compare("no_data.run.json", JsonReporter().render(sample.record, sample.summary, sample.verdict).content.decode())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_comment_is_the_summary_while_it_fits(name: str) -> None:
    """One text for both, each within its own limit."""
    sample = SAMPLES[name]()
    reports = [kind().render(sample.record, sample.summary, sample.verdict) for kind in (CommentReporter, MarkdownReporter)]

    assert reports[0].content == reports[1].content
    assert [report.filename for report in reports] == ["comment.md", "summary.md"]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_has_the_agreed_structure(name: str) -> None:
    """The text and the drawings of report.html, in order, equal their gold file."""
    sample = SAMPLES[name]()

    _compare(f"{name}.outline.txt", outline_page(HtmlReporter().render(sample.record, sample.summary, sample.verdict).content))


@pytest.mark.parametrize("name", SAMPLES)
def test_junit_counts_what_it_holds(name: str) -> None:
    """The counts that CI shows are those of the cases, suite by suite and in all."""
    root = _junit(SAMPLES[name]())

    for suite in (*root.findall("testsuite"), root):
        assert int(suite.get("tests", "")) == len(list(suite.iter("testcase")))
        assert int(suite.get("failures", "")) == len(list(suite.iter("failure")))
        assert int(suite.get("errors", "")) == len(list(suite.iter("error")))
        assert int(suite.get("skipped", "")) == len(list(suite.iter("skipped")))


@pytest.mark.parametrize("name", SAMPLES)
def test_junit_is_red_when_the_run_is_not_green(name: str) -> None:
    """Only a passed run has neither a failure nor an error."""
    sample = SAMPLES[name]()
    root = _junit(sample)
    is_red = int(root.get("failures", "")) + int(root.get("errors", "")) > 0

    assert is_red or sample.verdict.outcome == "PASSED"


def test_no_gate_of_an_invalid_run_is_green_in_junit() -> None:
    """The run is an error, its gates are skipped."""
    root = _junit(SAMPLES["invalid"]())

    assert root.find(".//testcase[@name='the run is valid']/error") is not None
    gates = root.findall(".//testcase[@classname='jivsbench.gates']")
    assert gates
    assert all(gate.find("skipped") is not None for gate in gates)


def test_hostile_names_are_text_everywhere() -> None:
    """In the page and in the comment, markup in names is escaped; nothing invisible is left."""
    sample = SAMPLES["hostile"]()
    for reporter in (HtmlReporter(), MarkdownReporter()):
        text = reporter.render(sample.record, sample.summary, sample.verdict).content.decode()

        assert HOSTILE not in text
        assert "<script" not in text.lower()
        assert "&lt;script&gt;" in text
        assert not set(text) & {"\x00", "\x1b", "\u202e"}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_is_one_file_that_fetches_nothing(name: str) -> None:
    """No address, no import, no script; the policy forbids what the templates do not do."""
    sample = SAMPLES[name]()
    text = HtmlReporter().render(sample.record, sample.summary, sample.verdict).content.decode()

    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text
    assert "http://" not in text
    assert "https://" not in text
