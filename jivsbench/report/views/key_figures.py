"""The figures that decide: one row each, an arm a column, with the ratio, its interval and a drawing of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.model.formatting import (
    NOT_MEASURED,
    format_among,
    format_confidence,
    format_count,
    format_ratio,
    format_ratio_interval,
)
from jivsbench.model.histogram import MIN_SAMPLES_P99
from jivsbench.model.metrics import Direction, find_metric
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Effect, Figure, Summary
from jivsbench.report.scales import Scale, build_ratio_scale
from jivsbench.report.views.badges import Tone

FOREST_WIDTH: Final = 150.0
_KEYS: Final = (
    ("throughput.records", "rate", "Throughput"),
    ("job.response", "p50", "Job duration, p50"),
    ("job.response", "p95", "Job duration, p95"),
    ("job.response", "p99", "Job duration, p99"),
    ("http.response", "p95", "HTTP response, p95"),
    ("job.errors", "ratio", "Job errors"),
    ("http.errors", "ratio", "HTTP errors"),
    ("cache.hits", "ratio", "Cache hits"),
    ("target.memory", "max", "Peak memory"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One arm's figure, and how many samples stand behind it."""

    arm: str
    value: str
    samples: str
    is_missing: bool
    why_missing: str


@dataclass(frozen=True, slots=True)
class Forest:
    """The drawing of a ratio: its interval and estimate on a logarithmic line, with the place of 1."""

    one: float
    low: float
    high: float
    middle: float


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One figure over all arms."""

    label: str
    wish: str
    cells: tuple[Cell, ...]
    ratio: str
    interval: str
    judgement: str
    tone: Tone
    forest: Forest | None


@dataclass(frozen=True, slots=True)
class KeyFigures:
    """The table of key figures."""

    arms: tuple[str, ...]
    is_comparison: bool
    confidence: str
    rows: tuple[KeyRow, ...]


def build_key_figures(record: RunRecord, summary: Summary, *, is_valid: bool) -> KeyFigures:
    """Every key figure, measured or not; of an invalid run without a judgement."""
    arms = tuple(arm.profile.name for arm in record.arms)
    is_comparison = record.plan.baseline is not None
    scale = _build_scale(summary)
    rows = tuple(_build_row(key, arms, summary, scale, is_valid=is_valid) for key in _KEYS)
    confidence = next((format_confidence(effect.confidence) for effect in summary.effects), "")
    return KeyFigures(arms, is_comparison, confidence, rows)


def format_figure(figure: Figure | None, limits: Sequence[float] = ()) -> str:
    """A figure for people, told from the limits beside it. A p99 of fewer than 100 samples is not one."""
    if figure is None or figure.value is None:
        return NOT_MEASURED
    if is_thin(figure):
        return f"n < {MIN_SAMPLES_P99}"
    metric = find_metric(figure.metric)
    return format_among(figure.value, limits, figure.unit, metric.better if metric else None)


def is_thin(figure: Figure) -> bool:
    """True for a p99 that too few samples stand behind."""
    return figure.statistic == "p99" and figure.samples < MIN_SAMPLES_P99


def judge_effect(effect: Effect | None, better: Direction) -> tuple[str, Tone]:
    """Better or worse only when the whole interval says so."""
    if effect is None:
        return "not compared", Tone.MUTED
    if effect.ratio is None:
        return "no ratio", Tone.MUTED
    if effect.ratio_low is None or effect.ratio_high is None:
        return "no interval", Tone.MUTED
    if effect.ratio_low <= 1 <= effect.ratio_high:
        return "no clear difference", Tone.MUTED
    is_better = (effect.ratio_low > 1) == (better is Direction.HIGHER)
    return ("better", Tone.GOOD) if is_better else ("worse", Tone.BAD)


def _build_row(
    key: tuple[str, str, str], arms: tuple[str, ...], summary: Summary, scale: Scale | None, *, is_valid: bool
) -> KeyRow:
    metric, statistic, label = key
    known = find_metric(metric)
    better = known.better if known else Direction.LOWER
    effect = summary.effect(metric, statistic)
    judgement, tone = judge_effect(effect, better) if is_valid else ("does not count", Tone.MUTED)
    return KeyRow(
        label=label,
        wish=f"{better.value} is better",
        cells=tuple(_build_cell(arm, summary.figure(arm, metric, statistic)) for arm in arms),
        ratio=format_ratio(effect.ratio, better) if effect and effect.ratio is not None else "",
        interval=format_ratio_interval(effect.ratio_low, effect.ratio_high) if effect and effect.ratio_low is not None else "",
        judgement=judgement,
        tone=tone,
        forest=_draw_forest(effect, scale),
    )


def _build_cell(arm: str, figure: Figure | None) -> Cell:
    text = format_figure(figure)
    if figure is None:
        return Cell(arm, text, "", is_missing=True, why_missing="the summary has no such figure")
    is_missing = figure.value is None or is_thin(figure)
    # The value says already that it was not measured; what is left of the method says why.
    why = figure.method.removeprefix(f"{NOT_MEASURED}: ") if figure.value is None else ""
    return Cell(arm, text, f"n = {format_count(figure.samples)}", is_missing, why)


def _build_scale(summary: Summary) -> Scale | None:
    shown = [effect for metric, statistic, _ in _KEYS if (effect := summary.effect(metric, statistic))]
    bounds = [b for e in shown for b in (e.ratio_low, e.ratio, e.ratio_high) if b is not None and b > 0]
    return build_ratio_scale(min(bounds), max(bounds), 6.0, FOREST_WIDTH - 6.0)[0] if bounds else None


def _draw_forest(effect: Effect | None, scale: Scale | None) -> Forest | None:
    if effect is None or scale is None or not effect.ratio or effect.ratio < 0:
        return None
    low, high = effect.ratio_low or effect.ratio, effect.ratio_high or effect.ratio
    return Forest(scale.place(1.0), scale.place(low), scale.place(high), scale.place(effect.ratio))
