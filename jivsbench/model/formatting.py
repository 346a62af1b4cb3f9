"""Numbers as text for people, with their unit. Rounding never flatters the target.

A figure that should fall is rounded up, one that should rise is rounded down, an interval outwards. "100 %" and "0 %"
appear only when the value is exactly that. A value beside its limit gets the digits that tell the two apart.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from jivsbench.model.gate import Unit
from jivsbench.model.metrics import Direction

NOT_MEASURED: Final = "not measured"
TIMES: Final = "\N{MULTIPLICATION SIGN}"
TO: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"
_MAX_DECIMALS: Final = 6
# Binary floats carry dust (0.07 * 100 = 7.000000000000001); nine digits keep every real digit and drop the dust.
_DUST: Final = Context(prec=9)
_DECIMALS: Final = {
    Unit.MILLISECONDS: ((1.0, 3), (10.0, 2), (100.0, 1)),
    Unit.SECONDS: ((10.0, 2), (100.0, 1)),
    Unit.PERCENT: ((1.0, 2), (math.inf, 1)),
    Unit.RECORDS_PER_MINUTE: ((100.0, 1),),
    Unit.JOBS_PER_SECOND: ((10.0, 2), (100.0, 1)),
    Unit.MEBIBYTES: ((10.0, 2), (100.0, 1)),
    Unit.CORES: ((math.inf, 2),),
    Unit.COUNT: (),
}
_ROUNDING: Final = {None: ROUND_HALF_EVEN, Direction.LOWER: ROUND_CEILING, Direction.HIGHER: ROUND_FLOOR}
_MIB: Final = 1024 * 1024
_SUREST_PERCENT: Final = 99.99
_MINUTE_S: Final = 60
_TEN: Final = 10
_ASTRONOMIC: Final = 1e15


def format_count(count: int) -> str:
    """A whole number with thousands separators.

    >>> format_count(20238)
    '20,238'
    """
    return f"{count:,}"


def format_number(value: float | None, unit: Unit, better: Direction | None = None) -> str:
    """A value without its unit, for a column whose head names the unit; `better` says which way rounding must lean.

    >>> format_number(99.996, Unit.PERCENT, Direction.HIGHER), format_number(100.0, Unit.PERCENT)
    ('99.9', '100')
    """
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    return _round_honestly(value, unit, _decimals_for(value, unit), better)


def format_quantity(value: float | None, unit: Unit, better: Direction | None = None) -> str:
    """A value with its unit; a count stands alone.

    >>> format_quantity(0.07 * 100, Unit.PERCENT, Direction.LOWER)
    '7.0 %'
    """
    number = format_number(value, unit, better)
    return number if number == NOT_MEASURED or unit is Unit.COUNT else f"{number} {unit.value}"


def format_decimals(value: float | None, decimals: int, better: Direction | None = None) -> str:
    """A value that has no unit of its own, with so many decimals.

    >>> format_decimals(0.0013, 2, Direction.LOWER), format_decimals(0.0013, 2), format_decimals(0.0, 2)
    ('0.01', '< 0.01', '0')
    """
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    return _round_honestly(value, Unit.COUNT, decimals, better)


def format_beside(value: float | None, limit: float, unit: Unit, better: Direction | None = None) -> str:
    """A value with as many decimals as it takes to see on which side of `limit` it lies, or that it is the limit.

    >>> format_beside(249.96, 250.0, Unit.MILLISECONDS, Direction.LOWER)
    '249.96 ms'
    """
    return format_among(value, (limit,), unit, better)


def format_among(value: float | None, limits: Sequence[float], unit: Unit, better: Direction | None = None) -> str:
    """The same beside several limits; without any it is `format_quantity`.

    >>> format_among(4.963, (5.0, 4.97), Unit.PERCENT, Direction.LOWER)
    '4.963 %'
    """
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    decimals = _decimals_for(value, unit)
    text = _round_honestly(value, unit, decimals, better)
    while decimals < _MAX_DECIMALS and not all(_shows_side(text, value, limit) for limit in limits):
        decimals += 1
        text = _round_honestly(value, unit, decimals, better)
    hidden = next((limit for limit in limits if not _shows_side(text, value, limit)), None)
    if hidden is not None:
        # They differ in a digit that nobody would read; which side it is still decides the gate.
        sign = "" if value == hidden else "> " if value > hidden else "< "
        return f"{sign}{format_limit(hidden, unit)}"
    return text if unit is Unit.COUNT else f"{text} {unit.value}"


def format_limit(limit: float, unit: Unit) -> str:
    """A limit exactly as it was asked for: never rounded.

    >>> format_limit(20000.0, Unit.RECORDS_PER_MINUTE), format_limit(-36.5, Unit.PERCENT).isascii()
    ('20,000 records/min', False)
    """
    number = f"{int(limit):,}" if limit == int(limit) else repr(limit)
    number = number.replace("-", MINUS, 1) if limit < 0 else number
    return number if unit is Unit.COUNT else f"{number} {unit.value}"


def format_change(percent: float, decimals: int = 1) -> str:
    """A difference with its sign, in percent.

    >>> format_change(2.04), format_change(-2.04, 2).isascii()
    ('+2.0 %', False)
    """
    return f"{percent:+.{decimals}f} %".replace("-", MINUS)


def format_ratio(ratio: float | None, better: Direction | None = None) -> str:
    """Candidate by baseline: three digits, rounded against the candidate.

    >>> format_ratio(6.416, Direction.HIGHER)[1:], format_ratio(0.1231, Direction.LOWER)[1:]
    ('6.41', '0.124')
    """
    if ratio is None or not math.isfinite(ratio):
        return NOT_MEASURED
    return f"{TIMES}{_round(ratio, _ratio_decimals(ratio), better)}"


def format_pairs(pairs: int, processes: int) -> str:
    """What an interval of a comparison rests on.

    >>> format_pairs(60, 1), format_pairs(120, 10)
    ('60 pairs', '120 pairs of 10 processes each')
    """
    return f"{pairs} pairs" if processes == 1 else f"{pairs} pairs of {processes} processes each"


def format_confidence(confidence: float) -> str:
    """How sure an interval is, which is never quite sure. After a look that could have ended the load it is no round number.

    >>> format_confidence(0.95), format_confidence(0.98347), format_confidence(1 - 1e-9)
    ('95 %', '98.34 %', '99.99 %')
    """
    percent = _round(min(confidence * 100, _SUREST_PERCENT), 2, Direction.HIGHER)
    return f"{percent.rstrip('0').rstrip('.')} %"


def format_ratio_interval(low: float | None, high: float | None) -> str:
    """The interval of a ratio, rounded outwards."""
    if low is None or high is None:
        return "no interval"
    lower = _round(low, _ratio_decimals(low), Direction.HIGHER)
    return f"{lower} {TO} {_round(high, _ratio_decimals(high), Direction.LOWER)}"


def format_interval(low: float | None, high: float | None, unit: Unit, limit: float | None = None) -> str:
    """The interval of a figure, rounded outwards; empty when there is none, as of a figure that is exact.

    Beside a `limit` each end has the decimals that tell it from that.
    """
    if low is None or high is None or low == high or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    if limit is None:
        lower, upper = format_quantity(low, unit, Direction.HIGHER), format_quantity(high, unit, Direction.LOWER)
    else:
        lower, upper = format_beside(low, limit, unit, Direction.HIGHER), format_beside(high, limit, unit, Direction.LOWER)
    return f"{lower.removesuffix(f' {unit.value}')} {TO} {upper}"


def format_milliseconds(duration_ns: float | None, better: Direction | None = Direction.LOWER) -> str:
    """A duration in ns as a number of milliseconds, without the unit."""
    return format_number(None if duration_ns is None else duration_ns / 1e6, Unit.MILLISECONDS, better)


def format_duration(duration_s: float) -> str:
    """A length of time in the largest units that it fills.

    >>> format_duration(0.25), format_duration(42), format_duration(450), format_duration(7800)
    ('0.25 s', '42 s', '7 min 30 s', '2 h 10 min')
    """
    if duration_s < _MINUTE_S:
        return f"{_round(duration_s, 0 if duration_s == int(duration_s) else 2, None)} s"
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else seconds, "s"))
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)


def format_mebibytes(size_bytes: float | None) -> str:
    """A size with its unit, in MiB."""
    return format_quantity(None if size_bytes is None else size_bytes / _MIB, Unit.MEBIBYTES)


def format_moment(moment: str) -> str:
    """An ISO 8601 moment as people read it, in UTC; text that is no such moment stays as it is.

    >>> format_moment("2030-01-02T03:04:05+00:00")
    '2030-01-02 03:04:05 UTC'
    """
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    # A moment without a zone is UTC by the record's definition; astimezone would take it for local time.
    parsed = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    return f"{parsed:%Y-%m-%d %H:%M:%S} UTC"


def format_share(part: int, whole: int) -> str:
    """A part of a whole in percent, rounded up: for errors and other parts that should be small."""
    return format_quantity(100.0 * part / whole if whole else None, Unit.PERCENT, Direction.LOWER)


def _decimals_for(value: float, unit: Unit) -> int:
    return next((decimals for bound, decimals in _DECIMALS[unit] if abs(value) < bound), 0)


def _ratio_decimals(ratio: float) -> int:
    return 3 if ratio < 1 else 2 if ratio < _TEN else 1


def _round_honestly(value: float, unit: Unit, decimals: int, better: Direction | None) -> str:
    """Rounded text that never claims an exact 0, nor an exact 100 %, for a value that only comes near."""
    if value == 0 or (unit is Unit.PERCENT and value == 100):  # noqa: PLR2004 - a hundred percent
        return f"{value:.0f}"
    if unit is Unit.PERCENT:
        while decimals < _MAX_DECIMALS and _reads_as(_round(value, decimals, better), 100.0):
            decimals += 1
        if _reads_as(_round(value, decimals, better), 100.0):
            return "> 99.9999" if value < 100 else "> 100"  # noqa: PLR2004 - a hundred percent
    text = _round(value, decimals, better)
    return f"< {10.0**-decimals:.{decimals}f}" if _reads_as(text, 0.0) and value > 0 else text


def _reads_as(text: str, number: float) -> bool:
    return _read(text) == number


def _read(text: str) -> float | None:
    """None for a text that only names a bound."""
    try:
        return float(text.replace(",", "").replace(MINUS, "-"))
    except ValueError:
        return None


def _shows_side(text: str, value: float, limit: float) -> bool:
    """True when a reader of the text puts the value where it lies: below the limit, above it, or on it."""
    number = _read(text)
    if number is not None:
        return (number > limit) == (value > limit) and (number < limit) == (value < limit)
    bound = _read(text[2:]) or 0.0
    if text.startswith("<"):
        return limit <= 0 or limit >= bound
    # "> 99.9999" stands for what is below 100, "> 100" for what is above.
    return limit <= bound or limit >= 100 > bound  # noqa: PLR2004 - a hundred percent


def _round(value: float, decimals: int, better: Direction | None) -> str:
    if abs(value) >= _ASTRONOMIC:
        return f"{value:.3g}"
    exact = _DUST.create_decimal_from_float(value) if abs(value) < 10**8 else Decimal(value)
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), rounding=_ROUNDING[better])
    return f"{rounded:,}".replace("-", MINUS)
