"""What the servers behind the target did, as the page says it: however long the load was, and however little was told."""

from dataclasses import replace

from jivsbench.analysis.condensing import condense
from jivsbench.model.activity import WaitCount
from jivsbench.model.monitor_rows import ServerRecord, ServerRow
from jivsbench.report.views.resources import build_resources
from tests.gold.sample_runs import one_arm


def show(rows):
    """The resources of a run whose servers were looked at so."""
    return build_resources(replace(one_arm().record, servers=ServerRecord(tuple(rows))))


def sessions_chart(resources):
    """The chart of what sessions waited for."""
    return next(chart for chart in resources.charts if chart.id == "sessions-at-the-source")


def look(second: int, sessions: int, told: int | None = 50) -> ServerRow:
    """So many of the target's sessions wait for a lock."""
    waits = (WaitCount("Lock", "transactionid", sessions),) if sessions else ()
    return ServerRow(float(second), own_sessions=told, waits=waits)


def test_waits_between_the_looks_that_stay_are_not_lost() -> None:
    """40 sessions wait in four of every five looks, and the look that stays of each five is the fifth."""
    rows = [look(second, 40 if second % 5 < 4 else 0) for second in range(7_800)]
    shown = show(condense(rows))

    assert shown.waits is not None
    assert shown.waits.rows == (("Lock", "transactionid", "32.00"),)
    assert shown.waits_title.endswith("on average over all 7,800 looks")
    assert {row[2] for row in sessions_chart(shown).table.rows} == {"40"}


def test_a_file_that_kept_one_look_in_several_says_so() -> None:
    """A version before kept no more: the average is of those looks, and nothing is said of the others."""
    rows = [replace(row, wait_spreads=None) for row in condense([look(second, second % 5) for second in range(7_800)])]
    shown = show(rows)

    assert shown.waits_title.endswith("on average over the 1,560 of 7,800 looks that are known")
    assert "one look in several" in sessions_chart(shown).note


def test_looks_that_told_nothing_are_in_no_average() -> None:
    """Ten of twenty looks told what sessions waited for."""
    shown = show([look(second, 3, told=50 if second < 10 else None) for second in range(20)])

    assert shown.waits is not None
    assert shown.waits.rows[0][2] == "3.00"
    assert "over the 10 of 20 looks" in shown.waits_title
    assert "one look in several" not in sessions_chart(shown).note


def test_a_rare_wait_is_not_rounded_to_nothing() -> None:
    """Once in a thousand looks is not never."""
    shown = show([look(second, int(second == 7)) for second in range(1_000)])

    assert shown.waits is not None
    assert shown.waits.rows[0][2] == "0.01"


def test_hits_at_the_cache_are_not_spread_over_looks_that_are_missing() -> None:
    """Between the looks at 1 s and at 9 s nobody looked: the chart says nothing of that time."""
    rows = [ServerRow(float(second), cache_hits=90 * second, cache_misses=10 * second) for second in (0, 1, 9, 10)]
    chart = next(chart for chart in show(rows).charts if chart.id == "hits-at-the-cache's-server")

    assert chart.table.rows == (("0:01", "90.0"), ("0:10", "90.0"))
