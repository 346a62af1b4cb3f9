"""What the top of the page shows beside the verdict: five figures with their limits and intervals, and what nobody measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.model.formatting import format_confidence, format_count, format_interval, format_ratio, format_ratio_interval
from jivsbench.model.gate import Gate
from jivsbench.model.metrics import find_metric
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Effect, Figure, Summary, Verdict
from jivsbench.report.views.key_figures import format_figure, is_thin
from jivsbench.report.views.limits import describe_limit

_FIVE: Final = (
    ("throughput.records", ("rate",), "Throughput"),
    ("job.response", ("p95", "mean", "p50"), "Job duration, {}"),
    ("job.errors", ("ratio",), "Job errors"),
    ("cache.hits", ("ratio",), "Cache hits"),
    ("target.memory", ("max",), "Peak memory"),
)
"""Of several statistics the first that has a limit is shown, or else the first."""
_SHOWN: Final = 4
NO_LIMIT: Final = "no limit was set"
NO_INTERVAL: Final = "no interval"


@dataclass(frozen=True, slots=True)
class TopFigure:
    """One of the five. `value` is the candidate's; `change` its ratio to the baseline, empty without one."""

    label: str
    value: str
    is_missing: bool
    change: str
    interval: str
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirstScreen:
    """The five figures, and the names of what was not measured: the first of them, and how many more there are."""

    figures: tuple[TopFigure, ...]
    missing: tuple[str, ...]
    further: int


def build_first_screen(record: RunRecord, summary: Summary, verdict: Verdict, missing: Sequence[str]) -> FirstScreen:
    """`missing` names everything that a reader could expect and that nobody measured, what matters most first."""
    figures = tuple(_build_figure(record, summary, verdict, *key) for key in _FIVE) if record.arms else ()
    return FirstScreen(figures, tuple(missing[:_SHOWN]), max(len(missing) - _SHOWN, 0))


def _build_figure(  # noqa: PLR0917 - six different types, the last three a row of the table above
    record: RunRecord, summary: Summary, verdict: Verdict, metric: str, statistics: tuple[str, ...], label: str
) -> TopFigure:
    limits = {statistic: tuple(_list_limits(record, verdict, metric, statistic)) for statistic in statistics}
    statistic = next((statistic for statistic, found in limits.items() if found), statistics[0])
    figure, effect = summary.figure(record.plan.candidate, metric, statistic), summary.effect(metric, statistic)
    known = find_metric(metric)
    ratio = effect.ratio if effect else None
    return TopFigure(
        label=label.format(statistic),
        value=format_figure(figure, [gate.limit for gate in _list_gates(verdict, metric, statistic) if gate.change is None]),
        is_missing=figure is None or figure.value is None or is_thin(figure),
        change=format_ratio(ratio, known.better if known else None) if ratio is not None else "",
        interval=_describe_interval(figure, effect),
        limits=limits[statistic] or (NO_LIMIT,),
    )


def _describe_interval(figure: Figure | None, effect: Effect | None) -> str:
    """That of the change, or of the figure; without either, how many samples it is of."""
    if effect is not None and effect.ratio_low is not None:
        interval = format_ratio_interval(effect.ratio_low, effect.ratio_high)
        return f"{format_confidence(effect.confidence)} interval {_keep_whole(interval)}"
    if figure is None or figure.value is None:
        return ""
    own = format_interval(figure.low, figure.high, figure.unit)
    return _keep_whole(own) or f"{NO_INTERVAL}, {_keep_whole(f'n = {format_count(figure.samples)}')}"


def _keep_whole(text: str) -> str:
    """The columns are narrow: a number that is torn apart reads as two."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _list_limits(record: RunRecord, verdict: Verdict, metric: str, statistic: str) -> Iterator[str]:
    """What the gates, and the comparison's margin, ask of this very figure; a window of it is another one."""
    rule = record.plan.rule
    if rule is not None and any((one.metric, one.statistic) == (metric, statistic) for one in rule.criteria):
        yield f"no change for the worse beyond {rule.margin_ratio * 100:g} %"
    for gate in _list_gates(verdict, metric, statistic):
        words = ("limit", gate.change or "", describe_limit(gate), str(gate.window))
        yield " ".join(word for word in words if word)


def _list_gates(verdict: Verdict, metric: str, statistic: str) -> list[Gate]:
    return [gate for gate in verdict.asked if (gate.metric, gate.statistic) == (metric, statistic)]
