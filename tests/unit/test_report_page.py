"""The page for those who see no colours, and for those who do not see it: what its markup and its style say."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jivsbench import report
from jivsbench.analysis import summarize
from jivsbench.model.scenario import Question
from jivsbench.report.html import HtmlReporter
from jivsbench.report.views.behaviour import build_behaviour
from jivsbench.report.views.over_time import ARM_STYLES
from jivsbench.report.views.resources import SESSION_STYLES
from tests.gold.sample_runs import SAMPLES
from tests.unit.test_analysis_answers import _SPIKE, _record

_STYLE = (Path(report.__file__).parent / "templates" / "style.css").read_text()


def render(name: str) -> str:
    """The page of a made-up run."""
    sample = SAMPLES[name]()
    return HtmlReporter().render(sample.record, sample.summary, sample.verdict).content.decode()


def read_stroke(*classes: str) -> tuple[str, str]:
    """Pattern and width of a line with these classes, as the style's rules for lines give them."""
    found = {"stroke-dasharray": "none", "stroke-width": "1.8"}
    for selector, body in re.findall(r"\.line((?:\.[a-z0-9-]+)+) \{([^}]*)\}", _STYLE):
        if set(selector.strip(".").split(".")) <= set(classes):
            found |= {name.strip(): value.strip() for name, _, value in (part.partition(":") for part in body.split(";"))}
    return found["stroke-dasharray"], found["stroke-width"]


@pytest.mark.parametrize(
    "styles",
    [
        ARM_STYLES,
        ("p50", "p95", "p99"),
        ("pool-active", "pool-idle", "pool-waiting"),
        ("offer-planned", "offer-offered", "offer-achieved"),
        SESSION_STYLES,
    ],
    ids=str,
)
def test_lines_of_one_drawing_differ_without_their_colours(styles: tuple[str, ...]) -> None:
    """Each has a pattern or a width that no other has."""
    assert len({read_stroke(style) for style in styles}) == len(styles)


def test_strokes_of_both_arms_differ_without_their_colours() -> None:
    """A block may be shorter than a dash: the baseline's strokes are thicker."""
    baseline, candidate = (read_stroke(style, "level") for style in ARM_STYLES[:2])

    assert baseline[0] == candidate[0] == "none"
    assert baseline[1] != candidate[1]
    assert 'class="line arm-a level"' in render("comparison")


def test_dots_of_the_baseline_are_hollow_and_the_legend_shows_them() -> None:
    """In the chart of pairs, which has no lines."""
    page = render("comparison")
    legend = page[page.index('id="chart-pair-values"') :].partition("</figcaption>")[0]

    assert re.search(r"\.dot\.arm-a \{ fill: var\(--bg\); stroke: currentColor;", _STYLE)
    assert legend.count('<circle class="dot arm-') == 2
    assert "<path" not in legend


def test_figures_that_do_not_count_can_still_be_told_apart() -> None:
    """Pale, with their colours: in grey both arms were one."""
    assert "grayscale" not in _STYLE
    assert re.search(r"\.is-invalid \.figures-that-count :is\(\.line, \.dot, \.forest\) \{ opacity: ", _STYLE)


class _Tables(HTMLParser):
    """The cells of every table: of its head, and of each row its header cells and the others; and how deep its regions lie."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[list[str]] = []
        self.rows: list[list[tuple[str, str]]] = []
        self.regions = self.deepest = 0
        self._open: list[bool] = []
        self._place = ""
        self._text: list[str] | None = None

    def handle_starttag(self, tag, attrs) -> None:
        given = dict(attrs)
        if tag == "div":
            self._open.append(given.get("role") == "region")
            self.deepest = max(self.deepest, sum(self._open))
            self.regions += self._open[-1]
        if tag in ("thead", "tbody"):
            self._place = tag
        if tag == "tr":
            (self.heads if self._place == "thead" else self.rows).append([])
        if tag in ("th", "td"):
            self._text = []
            if self._place == "tbody":
                self.rows[-1].append((tag, given.get("scope") or ""))

    def handle_endtag(self, tag) -> None:
        if tag == "div":
            self._open.pop()
        if tag in ("th", "td") and self._text is not None:
            if self._place == "thead":
                self.heads[-1].append("".join(self._text).strip())
            self._text = None

    def handle_data(self, data) -> None:
        if self._text is not None:
            self._text.append(data)


def read_tables(page: str) -> _Tables:
    """All tables of a page."""
    tables = _Tables()
    tables.feed(page)
    return tables


@pytest.mark.parametrize("name", SAMPLES)
def test_every_row_and_every_column_has_a_header(name: str) -> None:
    """Or belongs to a group of rows that has one. No region that can be scrolled lies in another."""
    tables = read_tables(render(name))
    grouped = [row for row in tables.rows if ("th", "rowgroup") in row]

    assert all(all(head) for head in tables.heads)
    assert tables.deepest == bool(tables.regions)
    without = [row for row in tables.rows if not any(tag == "th" for tag, _ in row)]
    assert len(without) <= len(grouped)


def test_every_peak_is_a_column_of_figures_with_names() -> None:
    """The first head was empty."""
    record = _record(_SPIKE, Question.RECOVERY, range(20, 37))
    view = build_behaviour(record, summarize(record))
    assert view is not None
    assert view.peaks is not None

    assert view.peaks.heads == ("figure", "peak 1")


def test_settings_that_differ_say_so_in_words() -> None:
    """Not by bold letters alone."""
    page = render("comparison")
    rows = re.findall(r'<tr( class="differs")?><th scope="row">([^<]+)(<span class="unseen">\(differs\)</span>)?', page)

    assert any(differs for differs, *_ in rows)
    assert all(bool(differs) == bool(said) for differs, _, said in rows)
