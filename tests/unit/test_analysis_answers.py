"""Answers of a run as figures, and the gates on them: an interval decides, and what was not reached is never green."""

from dataclasses import replace

import pytest

from jivsbench.analysis.judgement import judge
from jivsbench.analysis.schedule import list_steps
from jivsbench.analysis.summary import summarize
from jivsbench.model.behaviour import Trend
from jivsbench.model.gate import GateOutcome
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.monitor_rows import MonitorRow, ServerRecord, ServerRow
from jivsbench.model.record import BlockRow, RunRecord
from jivsbench.model.scenario import Arrival, Question, Stage
from jivsbench.model.summary import Figure, GateResult, Summary
from tests.planted_load import second_row, step_row
from tests.unit.analysis_records import MIB, SECOND, build_arm_record, build_record, change_arm

_SPIKE = (Stage(20, 20, is_step=True), Stage(10, 200, is_step=True), Stage(30, 20, is_step=True))
_CLIMB = tuple(Stage(10, users, is_step=True) for users in (10, 20, 40, 80, 10))


def _record(stages: tuple[Stage, ...], question: Question, slow: range = range(0), *, leak_bytes: int = 0) -> RunRecord:
    """A run of these stages whose p95 is 900 ms in the seconds of `slow`, and whose memory grows by so much a second."""
    steps = list_steps(stages)
    last = int(steps[-1].end_s)
    monitor = tuple(_look(second, leak_bytes) for second in range(last))
    rows = tuple(step_row(step, rows=min(round(step.load_to), 40) * 100, p95_ms=100 + step.load_to) for step in steps)
    block = BlockRow(0, 0, "optimized", 0, 0, last * SECOND, last * SECOND, 100, 1000, 0, None, None, None)
    series = tuple(second_row(second, p95_ms=900.0 if second in slow else 100.0) for second in range(last))
    arm = replace(build_arm_record(), blocks=(block,), series=series, monitor=monitor, steps=rows)
    record = build_record(arm)
    scenario = replace(record.plan.scenario, stages=stages, questions=(question,), p95_limit_s=0.13)
    return replace(record, plan=replace(record.plan, scenario=scenario))


def _look(second: int, leak_bytes: int) -> MonitorRow:
    size = 100 * MIB + second * leak_bytes
    waiting = 30 if 20 <= second < 35 else 0
    return MonitorRow(float(second), size, size, float(second), 8, 20, 5, 5, waiting, 0, second, 2 * waiting)


def _figure(record: RunRecord, metric: str, statistic: str) -> Figure:
    figure = summarize(record).figure("optimized", metric, statistic)
    assert figure is not None
    return figure


def _gate(record: RunRecord, text: str) -> GateResult:
    return judge(record, summarize(record), [parse_gate(text)]).gates[0]


def test_a_recovery_is_a_figure_and_a_gate() -> None:
    """The spike ends at 30 s, p95 is back at 37 s."""
    record = _record(_SPIKE, Question.RECOVERY, range(20, 37))

    assert _figure(record, "recovery.time", "max").value == 7
    assert _gate(record, "recovery.time max < 30 s").outcome is GateOutcome.MET
    assert _gate(record, "recovery.time max < 7 s").outcome is GateOutcome.FAILED


def test_what_never_recovers_is_never_green() -> None:
    """Watched for 30 s: more than 20 s for sure, which fails a limit of 20 s and says nothing about one of 60 s."""
    record = _record(_SPIKE, Question.RECOVERY, range(20, 60))
    figure = _figure(record, "recovery.time", "max")

    assert (figure.value, figure.low) == (None, 20.0)
    assert "1 of 1 peaks" in figure.method
    assert _gate(record, "recovery.time max < 20 s").outcome is GateOutcome.FAILED
    assert _gate(record, "recovery.time max < 60 s").outcome is GateOutcome.NO_DATA


def test_a_peak_is_described_by_what_waited_and_missed() -> None:
    """30 callers waited until 5 s after the spike; one miss a second, its first one too, over 100 jobs; nothing failed."""
    behaviour = summarize(_record(_SPIKE, Question.RECOVERY, range(20, 37))).behaviour
    assert behaviour is not None
    peak = behaviour.recoveries[0]

    assert (peak.drain_s, peak.waiting_peak, peak.queued_peak, peak.misses_per_job) == (5.0, 30, 60, 0.1)
    assert (peak.refused, peak.timed_out, peak.other_errors) == (0, 0, 0)
    assert peak.degradation_ratio == pytest.approx(9.0)
    assert peak.overshoot_s2 == pytest.approx(17 * 0.79)


@pytest.mark.parametrize(
    ("loads", "repeated", "per_entry"), [(3, 0, 1.0), (12, 9, 4.0), (0, 0, None), (None, None, None)], ids=str
)
def test_loads_of_each_key_are_told_of_every_peak(loads, repeated, per_entry) -> None:
    """All of them in the peak's first second, before the monitor's first look in it: they count all the same."""
    record = _record(_SPIKE, Question.RECOVERY, range(20, 37))

    def counted(row: MonitorRow) -> MonitorRow:
        known = loads is not None
        is_over = row.second > 20
        return replace(
            row,
            cache_loads=100 + is_over * loads if known else None,
            cache_loads_repeated=5 + is_over * repeated if known else None,
        )

    (arm,) = record.arms
    behaviour = summarize(replace(record, arms=(replace(arm, monitor=tuple(map(counted, arm.monitor))),))).behaviour
    assert behaviour is not None

    assert (behaviour.recoveries[0].cache_loads, behaviour.recoveries[0].loads_per_entry) == (loads, per_entry)


def test_the_knee_by_the_steps_has_the_range_of_its_step() -> None:
    """Throughput grew up to 40 users; the p95 limit was kept up to 20."""
    record = _record(_CLIMB, Question.KNEE)
    figure = _figure(record, "knee.users", "step")

    assert (figure.value, figure.low, figure.high) == (20.0, 20.0, 20.0)
    assert _figure(record, "knee.http", "p95").value == pytest.approx(140, rel=0.01)
    assert _gate(record, "knee.users step >= 20").outcome is GateOutcome.MET
    assert _gate(record, "knee.users step >= 21").outcome is GateOutcome.FAILED
    assert _gate(record, "knee.users fit >= 1").outcome is GateOutcome.NO_DATA


def test_a_step_without_a_second_is_no_knee() -> None:
    """Another step of the same number, in which nothing was measured, is passed over."""
    record = _record(_CLIMB, Question.KNEE)
    known = _figure(record, "knee.users", "step")
    empty = tuple(replace(step, seconds=0) for step in record.arms[0].steps)

    assert _figure(change_arm(record, steps=(*record.arms[0].steps, *empty)), "knee.users", "step") == known


def test_a_knee_in_the_first_ramp_is_one_user_at_least() -> None:
    """Nothing grows from nobody: of a ramp from 0 to 10 users the least that can be the knee is 1."""
    figure = _figure(_record((Stage(10, 10), Stage(10, 10)), Question.KNEE), "knee.users", "step")

    assert (figure.low, figure.value, figure.high) == (1.0, 5.5, 10.0)


def test_a_knee_beyond_the_load_meets_a_floor_below_it() -> None:
    """Throughput grew up to the highest load of 40: at least that, so a gate of 30 is met and one of 50 has no data."""
    record = _record(_CLIMB[:3], Question.KNEE)
    record = replace(record, plan=replace(record.plan, scenario=replace(record.plan.scenario, p95_limit_s=None)))

    assert _figure(record, "knee.users", "step").low == 40
    assert _gate(record, "knee.users step >= 30").outcome is GateOutcome.MET
    assert _gate(record, "knee.users step >= 50").outcome is GateOutcome.NO_DATA


def test_an_interval_is_judged_whole() -> None:
    """A knee of 50 to 100: 40 is met, 120 is missed, 70 is not conclusive; without an upper bound nothing is missed for sure."""
    record = _record(_CLIMB, Question.KNEE)
    summary = summarize(record)

    def outcome(limit: int, low: float | None, high: float | None) -> GateOutcome:
        figures = [f for f in summary.figures if (f.metric, f.statistic) != ("knee.users", "fit")]
        fitted = replace(_figure(record, "knee.users", "step"), statistic="fit", value=70.0, low=low, high=high)
        changed = Summary((*figures, fitted), (), summary.behaviour)
        return judge(record, changed, [parse_gate(f"knee.users fit >= {limit}")]).gates[0].outcome

    assert [outcome(limit, 50, 100) for limit in (40, 70, 120)] == [
        GateOutcome.MET,
        GateOutcome.INCONCLUSIVE,
        GateOutcome.FAILED,
    ]
    assert [outcome(limit, 50, None) for limit in (40, 120)] == [GateOutcome.MET, GateOutcome.INCONCLUSIVE]


@pytest.mark.parametrize(
    ("leak_bytes", "trend", "outcome"),
    [(0, Trend.FLAT, GateOutcome.MET), (100_000, Trend.GROWS, GateOutcome.FAILED)],
)
def test_growth_is_judged_by_its_rule(leak_bytes: int, trend: Trend, outcome: GateOutcome) -> None:
    """100 kB a second are 20 % over 240 s."""
    record = _record((Stage(300, 20, is_step=True),), Question.GROWTH, leak_bytes=leak_bytes)
    behaviour = summarize(record).behaviour
    assert behaviour is not None

    assert next(one for one in behaviour.growths if one.gauge == "memory").trend is trend
    assert _gate(record, "growth.memory trend <= 2 %").outcome is outcome
    assert _gate(record, "growth.memory trend <= 90 %").outcome is GateOutcome.MET


def test_what_never_moved_has_no_interval_to_write() -> None:
    """And no empty place between two commas."""
    reason = _gate(_record((Stage(300, 20, is_step=True),), Question.GROWTH), "growth.memory trend <= 2 %").reason

    assert reason == "growth is 0 %, p = 1"


@pytest.mark.parametrize(("leak_a_second", "trend"), [(0, Trend.FLAT), (0.1, Trend.GROWS)])
def test_sessions_that_stay_behind_at_the_server_grow(leak_a_second: float, trend: Trend) -> None:
    """A session that nobody closes is not among the target's own connections: the server has to be asked."""
    record = _record((Stage(300, 20, is_step=True),), Question.GROWTH)
    looks = tuple(ServerRow(second, own_sessions=10 + int(second * leak_a_second)) for second in range(300))
    behaviour = summarize(replace(record, servers=ServerRecord(looks))).behaviour
    assert behaviour is not None

    assert next(one for one in behaviour.growths if one.gauge == "backends").trend is trend


def test_a_gauge_that_nobody_reads_has_no_data() -> None:
    """A gate on it fails."""
    record = _record((Stage(300, 20, is_step=True),), Question.GROWTH)
    record = replace(record, arms=(replace(record.arms[0], monitor=()),))

    assert _gate(record, "growth.handles trend <= 2 %").outcome is GateOutcome.NO_DATA
    assert "the monitor read nothing of it" in _gate(record, "growth.handles trend <= 2 %").reason


def test_a_knee_of_an_open_loop_is_refused() -> None:
    """An arrival rate is no number of users."""
    record = _record((Stage(30, rate_per_s=5, is_step=True),), Question.KNEE)
    scenario = replace(record.plan.scenario, arrival=Arrival.RATE)
    record = replace(record, plan=replace(record.plan, scenario=scenario))

    assert "arrival rate" in _figure(record, "knee.users", "fit").method


def test_a_run_that_asks_nothing_has_no_answers() -> None:
    """No figure of a question, and consistency all the same."""
    record = build_record(build_arm_record())
    summary = summarize(record)

    assert summary.figure("optimized", "knee.users", "fit") is None
    assert summary.behaviour is not None
    assert summary.behaviour.consistency is not None


@pytest.mark.parametrize("lost", [range(100, 300), range(120, 140), range(50)], ids=["the end", "the middle", "the start"])
def test_what_was_not_watched_throughout_is_not_called_flat(lost) -> None:
    """Readings of a part of the time say nothing of the rest: no data, with how long nothing was read."""
    record = _record((Stage(300, 20, is_step=True),), Question.GROWTH)
    (arm,) = record.arms
    monitor = tuple(replace(row, threads=None) if row.second in lost else row for row in arm.monitor)
    record = replace(record, arms=(replace(arm, monitor=monitor),))

    assert _gate(record, "growth.handles trend <= 2 %").outcome is GateOutcome.MET
    result = _gate(record, "growth.threads trend <= 2 %")
    assert result.outcome is GateOutcome.NO_DATA
    assert "nothing was read of it for" in result.reason
