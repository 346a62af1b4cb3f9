"""The first screen: five figures with limit and interval, and what nobody measured, whatever the verdict."""

from dataclasses import replace

import pytest

from jivsbench.model.comparison import ComparisonRule, Criterion
from jivsbench.model.gate import Comparator, Gate, GateOutcome, Unit
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
    assert (errors.limits, errors.interval) == ((NO_LIMIT,), "no interval, n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}10,493")
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


@pytest.mark.parametrize(("value", "shown"), [(4.96, "4.96\N{SPACE}%"), (4.9963, "4.9963\N{SPACE}%"), (4.2, "4.2\N{SPACE}%")])
def test_a_figure_is_told_from_the_limits_below_it(value: float, shown: str) -> None:
    """An error ratio just below its limit is not rounded up onto it, nor across another one."""
    sample = SAMPLES["one_arm"]()
    gates = tuple(
        replace(sample.verdict.gates[1], gate=Gate("job.errors", "ratio", Comparator.LESS, limit, Unit.PERCENT))
        for limit in (5, 4.9965)
    )
    figures = tuple(replace(one, value=value) if one.metric == "job.errors" else one for one in sample.summary.figures)
    page = build_page(sample.record, replace(sample.summary, figures=figures), replace(sample.verdict, gates=gates))

    assert page.first.figures[2].limits == ("limit < 5 %", "limit < 4.9965 %")
    assert page.first.figures[2].value == shown


def test_what_was_asked_for_and_what_may_be_dangerous_is_named_first() -> None:
    """Gates before what is not known of security, that before figures; checks by their ids; the rest is counted."""
    sample = SAMPLES["all_checks"]()
    unknown = replace(sample.verdict.gates[0], outcome=GateOutcome.NO_DATA)
    proven = tuple(check for check in sample.record.checks if check.check_id not in ("SEC-014", "SEC-020"))
    gap = replace(sample.summary.figures[0], value=None)
    shown = build_page(
        replace(sample.record, checks=proven),
        replace(sample.summary, figures=(gap, *sample.summary.figures[1:])),
        replace(sample.verdict, gates=(unknown,)),
    ).first

    left_out = "security checks that were not run"
    assert shown.missing == (f"gate {unknown.text}", left_out, "check SEC-008", "check SEC-016")
    assert shown.further == len(("check SEC-017", "the figure without a value", "readings of the monitor"))


@pytest.mark.parametrize("name", SAMPLES)
def test_it_stands_above_everything_else(name: str) -> None:
    """In the verdict's own section, before its reasons; a run without any load has no figures, and says what is missing."""
    sample = SAMPLES[name]()
    page = HtmlReporter().render(sample.record, sample.summary, sample.verdict).content.decode()
    top = page[: page.index("<nav ")]

    assert ('class="five' in top) == bool(sample.record.arms)
    assert ("Not measured:" in top) == bool(first_screen(name).missing)
    assert top.find('class="five') < top.find('class="reasons"') or 'class="reasons"' not in top
