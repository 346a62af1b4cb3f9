"""Any run that the model can hold, for property tests: every field of every dataclass, by its annotation."""

import dataclasses
import enum
import types
import typing
from functools import cache

from hypothesis import strategies as st

from jivsbench.model.calibration import Calibration
from jivsbench.model.comparison import LEAST_ALPHA, ComparisonRule, Criterion
from jivsbench.model.histogram import Histogram, HistogramBuilder
from jivsbench.model.metrics import CATALOGUE
from jivsbench.model.monitor_rows import Spread

_TEXT = st.text(max_size=12)
ANY_NUMBER = (st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
"""Every number that JSON can hold."""
SENSIBLE_NUMBER = (st.integers(0, 10**12), st.floats(0, 1e9))
"""Numbers as clocks, counters and sizes give them: never negative, never astronomic."""

_LEVEL = st.floats(LEAST_ALPHA, 0.999)
_CRITERIA = [Criterion(metric.name, statistic) for metric in CATALOGUE for statistic in metric.paired]
_BOUNDED = {
    (Spread, "known"): st.integers(1, 10**12),
    (Calibration, "alpha_ratio"): _LEVEL,
    (ComparisonRule, "alpha_ratio"): _LEVEL,
    (ComparisonRule, "margin_ratio"): st.floats(0, 10),
    (ComparisonRule, "looks"): st.lists(st.integers(1, 10**12), min_size=1, max_size=2, unique=True).map(sorted).map(tuple),
    (ComparisonRule, "criteria"): st.lists(st.sampled_from(_CRITERIA), min_size=1, max_size=2).map(tuple),
}
"""What may stand in fields that refuse most values of their type."""


@cache
def values_of(annotation: object, numbers: tuple[st.SearchStrategy, st.SearchStrategy] = ANY_NUMBER) -> st.SearchStrategy:
    """Values of a type of the model; tuples stay short so that a whole record stays small."""
    plain = {int: numbers[0], float: numbers[1], str: _TEXT, bool: st.booleans(), type(None): st.none()}
    if annotation in plain:
        return plain[annotation]
    if annotation is Histogram and numbers is SENSIBLE_NUMBER:
        return st.lists(numbers[0], max_size=3).map(_record)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return st.sampled_from(list(annotation))
    if dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        names = [field.name for field in dataclasses.fields(annotation)]
        fields = {
            name: _BOUNDED[key] if (key := (annotation, name)) in _BOUNDED else values_of(hints[name], numbers) for name in names
        }
        return st.builds(annotation, **fields)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0], numbers), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values_of(argument, numbers) for argument in arguments))
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*(values_of(argument, numbers) for argument in arguments))
    raise TypeError(f"the model has a type that this strategy does not know: {annotation}")


def _record(durations_ns: list[int]) -> Histogram:
    builder = HistogramBuilder()
    for duration_ns in durations_ns:
        builder.record(duration_ns)
    return builder.build()
