"""The first screen: five figures with limit and interval, and what nobody measured, whatever the verdict."""

from dataclasses import replace

import pytest

from jivsbench.model.comparison import ComparisonRule, Criterion
from jivsbench.report.html import HtmlReporter
from jivsbench.report.views.first_screen import NO_LIMIT, build_first_screen
from jivsbench.report.views.page import build_page
from tests.gold.sample_runs import SAMPLES


def first_screen(name: str):
    """Of a made-up run."""
    sample = SAMPLES[name]()
    return build_page(sample.record, sample.summary, sample.verdict).first


def test_each_of_five_figures_has_its_limit_and_its_interval() -> None:
    """A change has an interval; a figure that an arm has once says that it has none; so does one without a limit."""
    throughput, duration, errors, hits, memory = first_screen("comparison").figures

    assert throughput.limits == ("limit improvement ≥ 50 %",)
    assert throughput.interval.startswith("95 % interval 6.33")
    assert duration.limits == ("limit reduction ≥ 30 %", "limit < 250 ms")
    assert (errors.limits, errors.interval) == ((NO_LIMIT,), "no interval, n = 10,493")
    assert hits.limits == ("limit ≥ 70 %",)
    assert memory.limits == ("limit growth ≤ 0 %",)


def test_the_duration_is_the_one_that_is_judged() -> None:
    """A comparison by the mean shows the mean beside its margin."""
    sample = SAMPLES["comparison"]()
    rule = ComparisonRule((Criterion("job.response", "mean"),), 0.05, 0.05, (12,))
    record = replace(sample.record, plan=replace(sample.record.plan, rule=rule))
    shown = build_first_screen(record, sample.summary, replace(sample.verdict, gates=()), ()).figures[1]

    assert shown.label == "Job duration, mean"
    assert shown.limits == ("no change for the worse beyond 5 %",)


def test_what_was_not_measured_is_named_where_it_was_asked_for_first() -> None:
    """Gates before security before figures; checks by their ids; the rest is counted."""
    missing = ("job.response p99, legacy", "security", "gate x", "SEC-008 What a session leaves: nothing", "a", "b")
    sample = SAMPLES["all_checks"]()
    shown = build_first_screen(sample.record, sample.summary, sample.verdict, missing)

    assert shown.missing == ("gate x", "security", "job.response p99, legacy", "check SEC-008")
    assert shown.further == 2


@pytest.mark.parametrize("name", SAMPLES)
def test_it_stands_above_everything_else(name: str) -> None:
    """In the verdict's own section, before its reasons; a run without any load has no figures, and says what is missing."""
    sample = SAMPLES[name]()
    page = HtmlReporter().render(sample.record, sample.summary, sample.verdict).content.decode()
    top = page[: page.index("<nav ")]

    assert ('class="five' in top) == bool(sample.record.arms)
    assert ("Not measured:" in top) == bool(first_screen(name).missing)
    assert top.find('class="five') < top.find('class="reasons"') or 'class="reasons"' not in top
