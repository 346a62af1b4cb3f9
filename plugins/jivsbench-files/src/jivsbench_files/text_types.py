"""Texts and Arrow types: which type every text of a column has, and a text into exactly that type.

A type fits a column when each of its texts is the plain spelling of a value: `007` is no number, since the zeros would be
lost, and `0.1` is a decimal, since a float would change it. What fits no type stays the text that it is.
"""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.model.numbers import parse_decimals
from jivsbench.model.spellings import PLAIN_BOOL, PLAIN_DECIMAL, PLAIN_INTEGER, match_spelling

_SHORT_PRECISION: Final = 18
_EXACT_FLOAT_DIGITS: Final = 17
_MAX_PRECISION: Final = 38
_INT64_SAFE_DIGITS: Final = 18
_DATE: Final = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-[0-9]{2}-[0-9]{2}"
_TIME: Final = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
_FLOAT: Final = rf"{PLAIN_DECIMAL}|-?[0-9](?:\.[0-9]{{1,16}})?[eE][+-]?[0-9]{{1,3}}"
_ANY_FLOAT: Final = rf"{_FLOAT}|NaN|-?inf|-?Infinity"
_PATTERNS: Final = {
    "bool": PLAIN_BOOL,
    "int": PLAIN_INTEGER,
    "decimal": PLAIN_DECIMAL,
    "float": _FLOAT,
    "date": _DATE,
    "time": _TIME,
    "timestamp": f"{_DATE}[ T]{_TIME}",
    "instant": rf"{_DATE}[ T]{_TIME}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})",
}
_WIDER: Final = {"int": "decimal", "decimal": "float"}
"""What a kind becomes when a text does not fit it; the others become a text."""
_ARROW: Final = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "instant": pa.timestamp("us", "UTC"),
    "text": pa.string(),
}


@dataclass(slots=True)
class TextKind:
    """What the texts of one column have been until now. It only ever widens, so the order of the rows does not matter."""

    kind: str = ""
    """Empty while every value was NULL."""
    whole_digits: int = 0
    fraction_digits: int = 0
    is_wide: bool = False
    """True when a number was seen that is exact as a decimal and not as a float."""

    def look_at(self, texts: pa.Array) -> None:
        """Take in the texts of one more batch."""
        if self.kind == "text" or texts.null_count == len(texts):
            return
        self._measure(texts)
        if not self.kind:
            self.kind = next((kind for kind in _PATTERNS if self._fits(texts, kind)), "text")
            return
        while not self._fits(texts, self.kind):
            self.kind = _WIDER.get(self.kind, "text")
            if self.kind == "text":
                return

    def to_arrow(self) -> pa.DataType:
        """The type that holds every text seen."""
        if self.kind == "decimal":
            digits = self.whole_digits + self.fraction_digits
            if digits > _MAX_PRECISION:
                return pa.string()
            return pa.decimal128(_SHORT_PRECISION if digits <= _SHORT_PRECISION else _MAX_PRECISION, self.fraction_digits)
        if self.kind == "float" and self.is_wide:
            return pa.string()
        return _ARROW[self.kind or "text"]

    def _measure(self, texts: pa.Array) -> None:
        """Digits before and after the point; meaningless, and not used, where the texts are no numbers."""
        longest = pc.max(pc.binary_length(texts)).as_py()
        if longest > 2 * _MAX_PRECISION + 2:
            self.kind = "text"
            return
        if self.kind in ("", "int", "decimal", "float"):
            digits = pc.utf8_ltrim(texts, "-")
            points = pc.find_substring(digits, ".")
            lengths = pc.binary_length(digits)
            has_point = pc.greater_equal(points, 0)
            whole = pc.if_else(has_point, points, lengths)
            fraction = pc.if_else(has_point, pc.subtract(pc.subtract(lengths, points), 1), 0)
            self.whole_digits = max(self.whole_digits, pc.max(whole).as_py())
            self.fraction_digits = max(self.fraction_digits, pc.max(fraction).as_py())
            self.is_wide = self.is_wide or pc.max(pc.add(whole, fraction)).as_py() > _EXACT_FLOAT_DIGITS

    def _fits(self, texts: pa.Array, kind: str) -> bool:
        if kind == "text":
            return True
        return bool(pc.all(match_spelling(texts, _PATTERNS[kind])).as_py()) and _casts(texts, kind)


def _casts(texts: pa.Array, kind: str) -> bool:
    """True when values exist that the spellings name: 2023-02-30 is spelt like a date and is none."""
    if kind in ("bool", "decimal"):
        return True
    if kind == "int" and pc.max(pc.binary_length(texts)).as_py() <= _INT64_SAFE_DIGITS:
        return True
    return _cast(texts, _ARROW[kind]) is not None


def _declared_pattern(arrow_type: pa.DataType) -> str | None:
    """The spellings that a declared type takes; None for a text."""
    if pa.types.is_integer(arrow_type):
        return PLAIN_INTEGER
    if pa.types.is_floating(arrow_type):
        return _ANY_FLOAT
    if pa.types.is_decimal(arrow_type):
        return PLAIN_DECIMAL
    if pa.types.is_timestamp(arrow_type):
        return _PATTERNS["instant" if arrow_type.tz else "timestamp"]
    if pa.types.is_string(arrow_type):
        return None
    return _PATTERNS["bool" if pa.types.is_boolean(arrow_type) else "date" if pa.types.is_date(arrow_type) else "time"]


def convert_texts(texts: pa.Array, arrow_type: pa.DataType) -> tuple[pa.Array, pa.Array | None]:
    """The values, and None; or, when some do not fit, NULL in their places and a mask that is true there."""
    pattern = _declared_pattern(arrow_type)
    if pattern is None:
        return texts, None
    unfit = pc.fill_null(pc.invert(match_spelling(texts, pattern)), False)
    if not pc.any(unfit).as_py():
        values = _cast(texts, arrow_type)
        if values is not None:
            return values, None
    kept = pc.if_else(unfit, pa.scalar(None, pa.string()), texts)
    # Once in a file, or never: which of the well-spelt texts name no value is found one by one.
    values = [None if text is None else _cast(pa.array([text], pa.string()), arrow_type) for text in kept.to_pylist()]
    singles = [pa.nulls(1, arrow_type) if value is None else value for value in values]
    converted = pa.concat_arrays(singles) if singles else pa.nulls(0, arrow_type)
    return converted, pc.and_(texts.is_valid(), converted.is_null())


def _cast(texts: pa.Array, arrow_type: pa.DataType) -> pa.Array | None:
    """The values of well-spelt texts; None when one of them has none."""
    try:
        if pa.types.is_time(arrow_type):
            # Arrow reads no time by itself with a fraction: it is the time of a day long gone.
            moments = pc.binary_join_element_wise("1970-01-01 ", texts, "").cast(pa.timestamp("us"))
            return moments.cast(pa.int64()).cast(pa.time64("us"))
        values = parse_decimals(texts, arrow_type) if pa.types.is_decimal(arrow_type) else texts.cast(arrow_type)
    except pa.ArrowInvalid:
        return None
    if pa.types.is_floating(arrow_type):
        # 1e999 is read as infinity, which is not what was written.
        grew = pc.and_(pc.is_inf(values), pc.invert(pc.match_substring(texts, "inf", ignore_case=True)))
        return None if pc.any(grew).as_py() else values
    return values
