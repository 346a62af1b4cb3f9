"""Numbers that came as text (of a filter, of an API, of a database without strict types), read exactly or not at all."""

import re
from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_MAX_DIGITS: Final = 38


def parse_number(text: str) -> Decimal:
    """A number as databases write one. Raises ValueError for any other text.

    Python would also take `1_000`, digits of other scripts, and `1e999999999`, which takes all memory once it is written out.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return Decimal(text)


def parse_real(text: str) -> float:
    """A float, NaN and the infinities too. Raises ValueError, also for `1_0` and digits of other scripts."""
    if "_" in text or not text.isascii():
        raise ValueError
    return float(text)


def build_fit(kind: pa.Decimal128Type) -> Callable[[Decimal], Decimal]:
    """What gives a number the scale of a type. It raises ValueError when a digit would be lost, or there are too many."""
    unit = Decimal(1).scaleb(-kind.scale)
    context = Context(prec=kind.precision, traps=[InvalidOperation, Inexact])

    def fit(number: Decimal) -> Decimal:
        if not number.is_finite():
            raise ValueError
        try:
            return number.quantize(unit, context=context)
        except (InvalidOperation, Inexact):
            raise ValueError from None

    return fit


def parse_decimals(texts: pa.Array, kind: pa.Decimal128Type) -> pa.Array:
    """Texts as decimals. Raises ArrowInvalid for one that is no number or does not fit.

    Arrow alone takes `1e-77` for zero and ends the process at `1e-999999999`: it reads past its table of powers of ten
    (apache/arrow issue 50964). And `17.5` as decimal(38, 38) becomes another number, because 128 bits run over: it looks whether
    the result fits, and not whether it was computed in bounds.
    """
    whole_digits = kind.precision - kind.scale
    if pc.all(pc.match_substring_regex(texts, _in_bounds(whole_digits))).as_py() is not False:
        return pc.cast(texts, kind)
    fit = build_fit(kind)
    try:
        return pa.array([None if text is None else fit(parse_number(text)) for text in texts.to_pylist()], kind)
    except ValueError:
        # No cause: it may repeat the value.
        raise pa.ArrowInvalid(f"a text is no number that {kind} can hold") from None


def parse_scalar(text: str, kind: pa.DataType) -> pa.Scalar:
    """A text as a value of a type. Raises ValueError, of which ArrowInvalid is one, and what else Arrow raises."""
    if pa.types.is_decimal(kind):
        return parse_decimals(pa.array([text]), kind)[0]
    if pa.types.is_integer(kind):
        # Arrow would read 26 out of `0x1A`.
        parse_number(text)
    return pa.scalar(text).cast(kind)


def _in_bounds(whole_digits: int) -> str:
    """The plain spelling of numbers of so many digits before the point, and no more than 38 in all."""
    whole = rf"0{{0,{_MAX_DIGITS}}}[1-9][0-9]{{0,{whole_digits - 1}}}" if whole_digits else "0"
    fraction = rf"(\.[0-9]{{1,{_MAX_DIGITS - whole_digits}}})?" if whole_digits < _MAX_DIGITS else ""
    return rf"\A[+-]?(?:0|{whole}){fraction}\z"
