"""The page of a long run: it may not grow with the hours."""

import pytest

from jivsbench.report.html import HtmlReporter
from tests.gold.long_runs import long_run


def render_bytes(duration_s: int) -> int:
    """Size of the page of a run of that length."""
    sample = long_run(duration_s)
    return len(HtmlReporter().render(sample.record, sample.summary, sample.verdict).content)


@pytest.mark.no_cover
def test_the_page_of_twenty_minutes_is_at_most_300_kb() -> None:
    """1,200 s with every chart and its table."""
    assert render_bytes(1_200) <= 300_000


@pytest.mark.nightly
@pytest.mark.no_cover
def test_the_page_of_hours_is_not_larger_than_that_of_twenty_minutes_by_much() -> None:
    """Charts are thinned: an hour has at most a tenth more bytes."""
    assert render_bytes(3_600) <= 1.1 * render_bytes(1_200)
