"""Throughput over users: the measured points, the fitted curve, and the interval of the knee as a band."""

from typing import Final

from jivsbench.model.behaviour import KneeFit
from jivsbench.model.formatting import format_number
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import Direction
from jivsbench.report.charts import PLOT_BOTTOM, PLOT_LEFT, PLOT_RIGHT, PLOT_TOP, Band, Chart, DataTable, Line
from jivsbench.report.scales import build_value_scale

_PER_MINUTE: Final = 60.0


def draw_knee(fit: KneeFit) -> Chart:
    """The chart of a climb. The curve joins the loads that were measured; nothing is drawn beyond them."""
    points = sorted(fit.points, key=lambda point: point.users)
    drawn = [(point.users, point.fitted_per_s * _PER_MINUTE) for point in points if point.fitted_per_s is not None]
    x, x_ticks = build_value_scale(points[-1].users, PLOT_LEFT, PLOT_RIGHT, is_whole=True)
    highest = max((point.rows_per_s * _PER_MINUTE for point in points), default=0.0)
    y, y_ticks = build_value_scale(max([highest, *(rate for _, rate in drawn)]), PLOT_BOTTOM, PLOT_TOP)
    dots = tuple((x.place(point.users), y.place(point.rows_per_s * _PER_MINUTE)) for point in points)
    path = "".join(f"{'L' if place else 'M'}{x.place(users):g} {y.place(rate):g}" for place, (users, rate) in enumerate(drawn))
    low, high = fit.low, fit.high if fit.high is not None else x.high
    bands: tuple[Band, ...] = ()
    if fit.users is not None and low is not None:
        left = x.place(min(max(low, x.low), x.high))
        bands = (Band(left, max(round(x.place(min(max(high, low), x.high)) - left, 1), 1.0)),)
    return Chart(
        id="knee",
        title="Throughput over users",
        unit=Unit.RECORDS_PER_MINUTE.value,
        description=f"Throughput at {len(points)} loads of the climb, and the fitted curve. The table below holds the points.",
        x_label="users",
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        lines=(Line("measured", "arm-b", "", dots), Line("fitted curve" if drawn else "", "pool-idle", path)),
        table=DataTable(
            ("users", "records/min"),
            tuple(
                (f"{p.users:.1f}", format_number(p.rows_per_s * _PER_MINUTE, Unit.RECORDS_PER_MINUTE, Direction.HIGHER))
                for p in points
            ),
        ),
        bands=bands,
        note="Shaded: the interval of the knee." if bands else "",
    )
