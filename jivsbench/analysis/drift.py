"""How much throughput at one load changed from before a climb to after it: smaller growth within the climb proves nothing."""

from collections.abc import Sequence

from jivsbench.analysis.recovery import find_normal, list_disturbances
from jivsbench.analysis.schedule import Step, rows_within
from jivsbench.model.behaviour import Drift
from jivsbench.model.record import SeriesRow


def measure_drift(series: Sequence[SeriesRow], steps: Sequence[Step]) -> Drift | None:
    """The normal plateau against the later half of the one that returns to its load after the peak, of rows per second.

    The earlier half may still answer what the peak left behind. None when the schedule does not return to that load, or one of
    both holds no rows.
    """
    normal = find_normal(steps)
    if normal is None:
        return None
    returned = [one.after for one in list_disturbances(steps, normal) if one.after.load_to == normal.load_to]
    if not returned:
        return None
    after = rows_within(series, returned[-1])
    before_per_s, after_per_s = _mean_rate(rows_within(series, normal)), _mean_rate(after[len(after) // 2 :])
    return Drift(normal.load_to, before_per_s, after_per_s) if before_per_s and after_per_s else None


def _mean_rate(rows: Sequence[SeriesRow]) -> float:
    return sum(row.rows for row in rows) / len(rows) if rows else 0.0
