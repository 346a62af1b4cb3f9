"""What a load showed, as the report says it: sentences, tables and the curve, and never a figure that was not measured."""

import math
from dataclasses import replace

import pytest

from jivsbench.analysis.judgement import judge
from jivsbench.analysis.summary import summarize
from jivsbench.model.behaviour import Capacity, Concurrency, Consistency, Drift, Knee, KneeFit, KneeModel, LoadPoint, Plateau
from jivsbench.model.record import RunRecord
from jivsbench.model.scenario import Question, Stage
from jivsbench.report.html import HtmlReporter
from jivsbench.report.markdown import MarkdownReporter
from jivsbench.report.views.answers import describe_capacity, describe_drift, describe_knee, describe_recovery, list_answers
from jivsbench.report.views.behaviour import build_behaviour
from jivsbench.report.views.knee_chart import draw_knee
from tests.unit.test_analysis_answers import _CLIMB, _SPIKE, _record


def _page(record: RunRecord) -> str:
    summary = summarize(record)
    return HtmlReporter().render(record, summary, judge(record, summary, ())).content.decode()


def test_each_peak_has_a_column_and_a_sentence() -> None:
    """Back after 7 s, 900 ms at the worst, nine times normal."""
    record = _record(_SPIKE, Question.RECOVERY, range(20, 37))
    page = _page(record)

    assert list_answers(record, summarize(record)) == ("Recovery: peak 1 of 200: back after 7.00 s.",)
    assert "Recovery: peak 1 of 200: back after 7.00 s." in page
    assert '<th scope="row">back to normal after</th><td>7.00 s</td>' in page
    assert '<th scope="row">that many times the normal median</th><td>9.0</td>' in page
    assert '<th scope="row">most jobs waiting for a worker</th><td>60</td>' in page


def test_what_did_not_come_back_says_how_long_it_was_watched() -> None:
    """Never a number of seconds."""
    page = _page(_record(_SPIKE, Question.RECOVERY, range(20, 60)))

    assert "not back within the 30 s that it was watched" in page
    assert "<td>not within 30 s</td>" in page


def test_growth_names_what_grows_and_what_nobody_read() -> None:
    """Memory grows, handles do not, and sessions at the server were not read."""
    record = _record((Stage(300, 20, is_step=True),), Question.GROWTH, leak_bytes=100_000)
    page = _page(record)
    answer = list_answers(record, summarize(record))[0]

    assert answer.startswith("Growth. Grows: memory; Does not grow: handles, threads")
    assert "Not measured: backends" in answer
    assert "GROWS" in page
    assert "the source&#39;s server told nothing of it" in page


def test_the_steps_are_a_table() -> None:
    """Every stage with its load; a summary for a pull request has the answers too."""
    record = _record(_CLIMB, Question.KNEE)
    summary = summarize(record)
    page, view = _page(record), build_behaviour(record, summary)
    comment = MarkdownReporter().render(record, summary, judge(record, summary, ())).content.decode()

    assert page.count("Steps of the load") >= 1
    assert view is not None
    assert view.steps is not None
    names = dict(zip(view.steps.heads, view.steps.rows[0], strict=True))
    assert (names["calls"], names["jobs"]) == (str(record.arms[-1].steps[0].calls.count), str(record.arms[-1].steps[0].jobs))
    assert "throughput last grew at 40 users, but an HTTP p95 of 130 ms was kept only up to 20 users" in page
    assert "no curve gives it" in page
    assert "throughput last grew at 40 users" in comment


def _fit(high: float | None) -> KneeFit:
    points = tuple(LoadPoint(float(users), 100.0 * min(users, 8), 10, 100.0 * min(users, 8)) for users in (1, 2, 4, 8, 16, 32))
    return KneeFit(points, "", KneeModel.SERVERS, 8.0, 7.2, high, 0.99, (100.0, 8.0, 0.0), 0.01)


def test_a_limit_is_said_to_be_kept_no_further_than_it_was() -> None:
    """Up to where throughput grew, up to a step before, or nowhere."""
    record = _record(_CLIMB, Question.KNEE)
    behaviour, steps = summarize(record).behaviour, record.arms[-1].steps
    assert behaviour is not None
    knee = behaviour.knee
    assert knee is not None

    assert "but an HTTP p95 of 130 ms was kept only up to 20 users" in describe_knee(knee, steps)
    assert "and up to there an HTTP p95 of 130 ms was kept;" in describe_knee(replace(knee, kept_step=knee.grown_step), steps)
    assert "and no step kept an HTTP p95 of 130 ms" in describe_knee(replace(knee, kept_step=None), steps)


def test_two_curves_that_fit_alike_are_both_named() -> None:
    """Neither is said to be the one."""
    knee = Knee(None, None, still_growing=False, p95_limit_ns=None, fit=replace(_fit(9.1), model=KneeModel.EITHER))

    assert "either fitted curve puts it at 8 users" in describe_knee(knee, ())


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (88.0, "throughput with 10 users was 12 % lower after the climb than before it, so no smaller growth counts as growth"),
        (120.0, "throughput with 10 users was 20 % higher after"),
    ],
)
def test_a_knee_names_the_drift_that_decided(after: float, text: str) -> None:
    """A smaller one stands beside the curve only."""
    drift = Drift(10, 100.0, after)
    knee = Knee(None, None, still_growing=False, p95_limit_ns=None, fit=_fit(9.1), least_ratio=drift.size_ratio, drift=drift)

    assert text in describe_knee(knee, ())
    assert "throughput with" not in describe_knee(replace(knee, least_ratio=0.5), ())
    assert "is not known" in describe_drift(None)


@pytest.mark.parametrize(("before", "after"), [(0.0, 88.0), (88.0, 0.0), (0.0, 0.0)])
def test_a_drift_from_or_to_nothing_has_a_size(before: float, after: float) -> None:
    """No run measures one, but a stored file may hold it: it is larger than any growth, and it is rendered."""
    drift = Drift(10, before, after)

    assert drift.size_ratio == math.inf
    assert "after the climb than before it" in describe_drift(drift)


@pytest.mark.parametrize(("high", "text"), [(9.1, "interval 7 \N{EN DASH} 10"), (None, "interval 7 or more")])
def test_a_fitted_knee_is_stated_with_its_interval(high: float | None, text: str) -> None:
    """And drawn: a dot a point, the curve, the interval as a band within the plot."""
    chart = draw_knee(_fit(high))

    assert text in describe_knee(Knee(None, None, still_growing=False, p95_limit_ns=None, fit=_fit(high)), ())
    assert len(chart.lines[0].dots) == 6
    assert chart.lines[1].path.startswith("M")
    assert chart.left <= chart.bands[0].x <= chart.bands[0].x + chart.bands[0].width <= chart.right


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (10.0, 11.0, "10.0 \N{EN DASH} 11.0 arrivals per second"),
        (10.0, None, "at least 10.0 arrivals per second"),
        (None, 5.0, "below 5.00 arrivals per second"),
        (None, None, "not found"),
    ],
)
def test_a_capacity_is_stated_as_far_as_it_is_known(low: float | None, high: float | None, text: str) -> None:
    """With the limit and the reason for the search's end; its plateaus are a table of the report."""
    plateaus = (Plateau(10.0, True, 1e8, 9.9, "kept"), Plateau(20.0, None, None, None, "saturated"))
    capacity = Capacity(2e9, low, high, plateaus, "as planted")
    record = replace(_record(_CLIMB, Question.CAPACITY), capacity=capacity)

    assert text in describe_capacity(capacity)
    assert "<td>20.0</td><td>not measured</td><td>not measured</td><td>not known</td><td>saturated</td>" in _page(record)


def test_a_recovery_is_not_rounded_to_one_that_a_gate_would_take() -> None:
    """30.4 s misses a limit of 30 s, and 0.4 s are not no time at all."""
    record = _record(_SPIKE, Question.RECOVERY, range(20, 37))
    summary = summarize(record)
    assert summary.behaviour is not None
    (peak,) = summary.behaviour.recoveries
    sentences = [
        describe_recovery(replace(summary.behaviour, recoveries=(replace(peak, recovery_s=recovery_s, observed_s=30.4),)))
        for recovery_s in (30.4, 0.4, None)
    ]

    assert sentences == [
        "Recovery: peak 1 of 200: back after 30.4 s.",
        "Recovery: peak 1 of 200: back after 0.40 s.",
        "Recovery: peak 1 of 200: not back within the 30.4 s that it was watched.",
    ]


def test_rates_and_limits_of_plateaus_are_numbers_that_can_be_compared() -> None:
    """1,234.5 arrivals a second are not 1.23e+03, and a p95 just above its limit of 130.5 ms does not look like it."""
    plateaus = (Plateau(1234.5, False, 130.5004e6, 1199.9, "p95"), Plateau(617.25, True, 130.4996e6, 617.2, "kept"))
    capacity = Capacity(130.5e6, 617.25, 1234.5, plateaus, "as planted")
    page = _page(replace(_record(_CLIMB, Question.CAPACITY), capacity=capacity))

    assert "at an HTTP p95 of 130.5 ms" in describe_capacity(capacity)
    assert "<td>1,234</td><td>1,199</td><td>131</td><td>no</td>" in page
    assert "<td>617</td><td>617</td><td>130.4996</td><td>yes</td>" in page


def test_growth_and_concurrency_are_told_from_their_limits() -> None:
    """FLAT up to 1.996 % is not FLAT up to 2 %, and 10.04 % off is not within 10 %."""
    record = _record((Stage(300, 20, is_step=True),), Question.GROWTH)
    summary = summarize(record)
    behaviour = summary.behaviour
    assert behaviour is not None
    growth = replace(behaviour.growths[0], limit_percent=2.0, growth_percent=0.0, low_percent=0.0, high_percent=1.996)
    consistency = Consistency((Concurrency(0, 10, 8.996, -0.1004, is_consistent=False),), 0.1, "", ())
    view = build_behaviour(record, replace(summary, behaviour=replace(behaviour, growths=(growth,), consistency=consistency)))
    assert view is not None
    assert view.consistency is not None

    assert view.growths[0].interval == "0 \N{EN DASH} 1.996 %"
    assert view.consistency.rows[0][3] == "\N{MINUS SIGN}10.1 %"
