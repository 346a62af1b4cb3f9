"""Types of columns: declared in the URL, or inferred from every record; and values into them, exactly or not at all."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final

import pyarrow as pa

from jivsbench.errors import TypePolicyError
from jivsbench.model.numbers import build_fit, parse_number
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column
from jivsbench_rest.documents import BadDocumentError, format_value

_INT64: Final = range(-(2**63), 2**63)
_MAX_PRECISION: Final = 38
_DECIMAL: Final = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)")
_DATE: Final = r"\d{4}-\d\d-\d\d"
_MOMENT: Final = rf"{_DATE}[T ]\d\d:\d\d(:\d\d(\.\d{{1,6}}0*)?)?"
_TYPES: Final[dict[str, pa.DataType]] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "json": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
}


@dataclass(frozen=True, slots=True)
class DeclaredColumn:
    """A column by the words of the URL: `id:int64`, `price:decimal(12,2)`."""

    name: str
    kind: str
    arrow_type: pa.DataType


def parse_columns(text: str) -> tuple[DeclaredColumn, ...]:
    """`id:int64,price:decimal(12,2),tags:json`. Raises ValueError."""
    columns = tuple(_parse_column(part) for part in re.split(r",(?![^(]*\))", text))
    if len({column.name for column in columns}) != len(columns):
        raise ValueError
    return columns


def _parse_column(text: str) -> DeclaredColumn:
    name, _, kind = text.rpartition(":")
    decimal = _DECIMAL.fullmatch(kind)
    if decimal:
        precision, scale = int(decimal[1]), int(decimal[2])
        if not 0 <= scale <= precision <= _MAX_PRECISION or not precision:
            raise ValueError
        return DeclaredColumn(name, kind, pa.decimal128(precision, scale))
    if not name or kind not in _TYPES:
        raise ValueError
    return DeclaredColumn(name, kind, _TYPES[kind])


def build_column(declared: DeclaredColumn, policy: TypePolicy) -> Column:
    """The column of a schema. Any record may lack a value, so all may be NULL."""
    arrow_type = pa.string() if policy is TypePolicy.TEXT else declared.arrow_type
    return Column(declared.name, declared.kind, arrow_type, is_nullable=True)


@dataclass(slots=True)
class _Seen:
    """What one column held so far."""

    kind: str = ""
    whole_digits: int = 1
    scale: int = 0
    is_exact: bool = True
    """False once a number does not fit int64, or 38 digits."""


@dataclass(slots=True)
class Inference:
    """Types that hold every value of every record, so that none of them has to change later."""

    resource: str
    policy: TypePolicy
    seen: dict[str, _Seen] = field(default_factory=dict)
    records: int = 0

    def add(self, records: Iterable[dict[str, Any]]) -> None:
        """Look at records. Raises TypePolicyError for a value of another kind than before, unless the policy allows it."""
        for record in records:
            self.records += 1
            for name, value in record.items():
                seen = self.seen.get(name) or self._add_name(name)
                if value is not None:
                    self._add(seen, name, value)

    def columns(self) -> tuple[DeclaredColumn, ...]:
        """In the order in which keys first came."""
        return tuple(DeclaredColumn(name, *_choose_type(seen)) for name, seen in self.seen.items())

    def _add_name(self, name: str) -> _Seen:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise TypePolicyError(
                f"resource {self.resource!r}: a key of record {self.records} holds half of a surrogate pair, which is no "
                "character: declare the other `columns`"
            ) from None
        return self.seen.setdefault(name, _Seen())

    def _add(self, seen: _Seen, name: str, value: object) -> None:
        kind = _kind_of(value)
        if seen.kind and kind != seen.kind and {kind, seen.kind} != {"integer", "number"}:
            if self.policy is TypePolicy.ERROR:
                raise TypePolicyError(
                    f"resource {self.resource!r}: column {name!r} of record {self.records} is {kind}, before it {seen.kind}: "
                    "declare its type in `columns`, or set the source's type_policy to 'text' or 'null'"
                )
            return
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            _measure(seen, value)
        seen.kind = "number" if "number" in (kind, seen.kind) else kind


def _measure(seen: _Seen, value: int | Decimal) -> None:
    if isinstance(value, int):
        seen.is_exact = seen.is_exact and value in _INT64
        seen.whole_digits = max(seen.whole_digits, len(str(abs(value))) if value in _INT64 else _MAX_PRECISION + 1)
        return
    _sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # NaN and Infinity are refused by the parser
    seen.whole_digits = max(seen.whole_digits, len(digits) + exponent)
    seen.scale = max(seen.scale, -exponent)


def _choose_type(seen: _Seen) -> tuple[str, pa.DataType]:
    match seen.kind:
        case "boolean":
            return "bool", pa.bool_()
        case "integer":
            return ("int64", pa.int64()) if seen.is_exact else ("json", pa.string())
        case "number":
            precision = seen.whole_digits + seen.scale
            # Wider than any decimal: its digits as text, rather than a float that drops some of them.
            return (
                (f"decimal({precision},{seen.scale})", pa.decimal128(precision, seen.scale))
                if precision <= _MAX_PRECISION
                else ("json", pa.string())
            )
        case "object":
            return "json", pa.string()
    return "string", pa.string()


def _kind_of(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case Decimal():
            return "number"
        case str():
            return "string"
    return "object"


class UnfitValueError(Exception):
    """A value that its column's Arrow type cannot hold. Never leaves this package."""


def build_converter(column: Column, policy: TypePolicy, max_depth: int) -> Callable[[Any], object]:
    """What turns one value that is not null into what Arrow takes; it raises UnfitValueError."""
    if policy is TypePolicy.TEXT or column.server_type == "json":
        # A text stays itself, without quotes: only what is no text needs JSON to be one.
        return lambda value: _check_text(value if isinstance(value, str) else _to_json(value, max_depth))
    if pa.types.is_decimal(column.arrow_type):
        fit = build_fit(column.arrow_type)
        return lambda value: _to_decimal(value, fit)
    return _CONVERTERS[column.server_type]


def _to_json(value: object, max_depth: int) -> str:
    try:
        return format_value(value, max_depth)
    except BadDocumentError:
        raise UnfitValueError from None


def _check_text(value: object) -> object:
    if not isinstance(value, str):
        raise UnfitValueError
    try:
        value.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which JSON can write and no text can hold.
        raise UnfitValueError from None
    return value


def _to_integer(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value in _INT64:
        return value
    raise UnfitValueError


def _to_real(value: object) -> object:
    """A float only if it writes as the number that came."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UnfitValueError
    try:
        real = float(value)
    except OverflowError:
        raise UnfitValueError from None
    if not isfinite(real) or Decimal(repr(real)) != value:
        raise UnfitValueError
    return real


def _to_boolean(value: object) -> object:
    if isinstance(value, bool):
        return value
    raise UnfitValueError


def _to_decimal(value: object, fit: Callable[[Decimal], Decimal]) -> object:
    """From a number, or from a text as many APIs write amounts."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise UnfitValueError
    try:
        return fit(parse_number(value) if isinstance(value, str) else Decimal(value))
    except ValueError:
        raise UnfitValueError from None


def _reader(pattern: str, read: Callable[[str], object]) -> Callable[[object], object]:
    whole = re.compile(pattern)

    def convert(value: object) -> object:
        if not isinstance(value, str) or not whole.fullmatch(value):
            raise UnfitValueError
        try:
            return read(value)
        except (ValueError, OverflowError):
            raise UnfitValueError from None

    return convert


_CONVERTERS: Final[dict[str, Callable[[Any], object]]] = {
    "int64": _to_integer,
    "float64": _to_real,
    "bool": _to_boolean,
    "string": _check_text,
    "date": _reader(_DATE, date.fromisoformat),
    "timestamp": _reader(_MOMENT, datetime.fromisoformat),
    "timestamptz": _reader(rf"{_MOMENT}(Z|[+-]\d\d:\d\d)", lambda text: datetime.fromisoformat(text).astimezone(UTC)),
}
