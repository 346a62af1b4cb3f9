"""The monitor's rows of a long load: bounded, and nothing that a verdict needs is lost."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.analysis import find_invalidities, summarize
from jivsbench.analysis.condensing import MOST_ROWS, condense, count_waits, highest
from jivsbench.analysis.readings import count_looks, count_lost_looks, find_restart
from jivsbench.analysis.recomputation import recompute_monitor
from jivsbench.analysis.trend import judge_growth
from jivsbench.model.activity import WaitCount
from jivsbench.model.behaviour import Trend
from jivsbench.model.gate import Unit
from jivsbench.model.monitor_rows import MonitorRow, ServerRow
from tests.unit.analysis_records import build_arm_record, build_look, build_record, change_arm

DAY = 86_400


def watch(seconds: int, *, peak_at: int | None = None, growth_mib: float = 0.0) -> list[MonitorRow]:
    """One look a second at 100 MiB with noise; one of them at 900 MiB; CPU time and look-ups go on."""
    source = random.Random(1)
    rows = []
    for second in range(seconds):
        level = 900.0 if second == peak_at else 100.0 + source.gauss(0, 1) + growth_mib * second / seconds
        rows.append(build_look(float(second), pss_mib=level, cpu_s=float(second), hits=second))
    return rows


@pytest.mark.no_cover
def test_a_day_is_bounded_and_its_peak_is_kept() -> None:
    """86,400 looks become 1,800 rows; the one second of 900 MiB is the figure, as of all looks."""
    whole, short = watch(DAY, peak_at=40_001), condense(watch(DAY, peak_at=40_001))
    run = build_record(build_arm_record())
    figures = [
        {figure.statistic: figure for figure in summarize(change_arm(run, monitor=tuple(rows))).figures
         if figure.metric == "target.memory"}
        for rows in (whole, short)
    ]  # fmt: skip

    assert len(short) == MOST_ROWS
    assert count_looks(short) == DAY
    assert figures[1]["max"] == figures[0]["max"]
    assert figures[1]["max"].value == pytest.approx(900)
    assert figures[1]["mean"].value == pytest.approx(figures[0]["mean"].value)


def test_few_rows_stay_as_they_are() -> None:
    """Half an hour is no long run."""
    rows = watch(MOST_ROWS)

    assert condense(rows) == tuple(rows)


@pytest.mark.parametrize(("growth_mib", "trend"), [(0.0, Trend.FLAT), (10.0, Trend.GROWS)])
def test_growth_is_judged_alike(growth_mib, trend) -> None:
    """A real look stays of every few, so readings are spaced evenly and no more equal than they were."""
    rows = condense(watch(4 * 3600, growth_mib=growth_mib))
    readings = [row.pss_bytes / 2**20 for row in rows if row.pss_bytes is not None]

    assert judge_growth("memory", Unit.MEBIBYTES, readings, 4 * 3600.0, source="planted").trend is trend


def test_a_restart_is_found_all_the_same() -> None:
    """Two looks after the restart the counters have passed where they were: the look in between stays."""
    before, after = watch(5000), [build_look(5000.0 + n, cpu_s=0.1 + 10_000 * n, hits=20_000 * n) for n in range(5000)]

    assert find_restart(condense([*before, *after])) is not None
    record = change_arm(build_record(build_arm_record()), monitor=condense([*before, *after]))
    assert any("restarted" in reason for reason in find_invalidities(record))


def test_a_restart_is_found_across_looks_that_failed() -> None:
    """While a target starts anew nobody can read it: the looks before and after the gap both stay."""
    gap = [replace(row, rss_bytes=None, cpu_s=None, cache_hits=None, cache_misses=None) for row in watch(3)]
    before, after = watch(21), [build_look(24.0 + n, cpu_s=0.1 + 10.0 * n, hits=20 * n) for n in range(5000)]
    rows = [*before, *(replace(row, second=21.0 + row.second) for row in gap), *after]

    assert find_restart(rows) is not None
    assert find_restart(condense(rows)) is not None


def test_looks_that_read_nothing_are_counted() -> None:
    """Every tenth look failed; of those that answered one is kept."""
    rows = [replace(row, rss_bytes=None, pss_bytes=None) if row.second % 10 == 9 else row for row in watch(10 * MOST_ROWS)]
    short = condense(rows)

    assert count_lost_looks(short) == count_lost_looks(rows) == MOST_ROWS
    assert all(row.rss_bytes is not None for row in short)


def test_the_audit_holds_them_against_every_look() -> None:
    """monitor.jsonl has all looks, the record those that are kept: equal when condensed again, different after a change."""
    rows = watch(9000)
    short = condense(rows)
    record = change_arm(build_record(build_arm_record()), monitor=short)
    written = [("optimized", replace(row, second=row.second + 4.25)) for row in rows]
    changed = [(arm, replace(row, handles=7) if index == 4444 else row) for index, (arm, row) in enumerate(written)]

    assert all(relation.holds for relation in recompute_monitor(record, written))
    assert not all(relation.holds for relation in recompute_monitor(record, changed))


@given(st.lists(st.integers(0, 50) | st.none(), min_size=1, max_size=60), st.integers(1, 20))
def test_the_greatest_of_all_looks_is_the_greatest_of_the_rows(sessions, most) -> None:
    """Whatever the readings: bounded, every look counted, nothing greater lost and nothing greater made up."""
    rows = [ServerRow(float(second), own_sessions=count) for second, count in enumerate(sessions)]
    short = condense(rows, most)

    assert len(short) <= most
    assert sum(row.looks for row in short) == len(rows)
    known = [highest(row, "own_sessions") for row in short]
    assert max((count for count in known if count is not None), default=None) == max(
        (count for count in sessions if count is not None), default=None
    )


_WAITS = st.lists(
    st.builds(WaitCount, st.sampled_from(["Lock", "IO"]), st.sampled_from(["a", "b"]), st.integers(0, 9)), max_size=3
)


@given(st.lists(st.none() | _WAITS, min_size=1, max_size=60), st.integers(1, 20))
def test_no_wait_of_any_look_is_lost(waits, most) -> None:
    """Sums and peaks of what sessions waited for are those of all looks that told it, and so is their number."""
    rows = [
        ServerRow(float(second), own_sessions=None if told is None else 9, waits=tuple(told or ()))
        for second, told in enumerate(waits)
    ]

    def add_up(some):
        found: dict = {}
        for row in some:
            for wait in count_waits(row)[1]:
                total, high = found.get((wait.kind, wait.event), (0, 0))
                found[wait.kind, wait.event] = total + wait.total, max(high, wait.high)
        return sum(count_waits(row)[0] for row in some), found

    assert add_up(condense(rows, most)) == add_up(rows)
