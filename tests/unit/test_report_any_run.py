"""Whatever a file holds that reads as a run, every reporter renders it: odd names, unlikely numbers, empty lists."""

import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Summary, Verdict
from jivsbench.report.html import HtmlReporter
from jivsbench.report.junit import JunitReporter
from jivsbench.report.markdown import MarkdownReporter
from tests.gold.record_strategy import SENSIBLE_NUMBER, values_of

# Other tests cover the reporters, on sensible runs.
pytestmark = pytest.mark.no_cover

_RECORDS = values_of(RunRecord, SENSIBLE_NUMBER).filter(lambda record: record.plan.profiles)
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
# A whole run is not made smaller: that takes longer than a test may, and the traceback says where.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


@settings(max_examples=40, phases=_PHASES, suppress_health_check=_SLOW, deadline=None)
@given(_RECORDS, values_of(Summary, SENSIBLE_NUMBER), values_of(Verdict, SENSIBLE_NUMBER))
def test_every_reporter_renders_any_run(record: RunRecord, summary: Summary, verdict: Verdict) -> None:
    """No run makes a reporter raise; the page holds no script, the XML parses, the same input gives the same bytes."""
    page = HtmlReporter().render(record, summary, verdict)
    tags = _Tags()
    tags.feed(page.content.decode())

    assert not tags.seen & {"script", "iframe", "object", "embed", "form", "base"}
    assert page == HtmlReporter().render(record, summary, verdict)
    assert ET.fromstring(JunitReporter().render(record, summary, verdict).content).tag == "testsuites"
    assert MarkdownReporter().render(record, summary, verdict).content.startswith(b"## :")
