"""The page for those who see no colours, and for those who do not see it: what its markup and its style say."""

import re
from pathlib import Path

import pytest

from jivsbench import report
from jivsbench.report.html import HtmlReporter
from jivsbench.report.views.over_time import ARM_STYLES
from jivsbench.report.views.resources import SESSION_STYLES
from tests.gold.sample_runs import SAMPLES

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
    assert re.search(r"\.is-invalid \.figures-that-count svg \{ opacity: ", _STYLE)
