"""The table that the connector contract reads: awkward values in every type, and a plain answer to every filter."""

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

import pyarrow as pa

from jivsbench.model.table import Filter, Operator, TableName

HOSTILE_TEXTS: Final = (
    "'; DROP TABLE jivsbench_contract; --",
    "' OR '1'='1",
    "1) OR (1=1",
    "x' UNION SELECT 1 --",
    '"; SELECT 1; --',
    "\\'; SELECT 1; --",
    "$$; SELECT 1; $$",
    "%(name)s",
    "{0} %s ? :name $1",
    "/* */ --",
    "\u02bc OR 1=1",
)
AWKWARD_TEXTS: Final = (
    None,
    "",
    " ",
    "NULL",
    "null",
    "\\N",
    "\\.",
    '"quoted"',
    "it's",
    "comma, semicolon; tab\t.",
    "two\nlines",
    "carriage\r\nreturn",
    "Ärger €",
    "日本語",
    "🦀",
    "e\u0301",
    "\u202eright to left",
    "%",
    "_",
)
SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("name", pa.string()),
        pa.field("amount", pa.decimal128(12, 2)),
        pa.field("ratio", pa.float64()),
        pa.field("is_active", pa.bool_()),
        pa.field("created_at", pa.timestamp("us", tz="UTC")),
    ]
)
DEFAULT_ROWS: Final = 2000
_START: Final = datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """A table that a source holds, and the rows that a read of it must give."""

    name: TableName
    rows: pa.Table


def new_table_name() -> TableName:
    """A name that no other run of the contract uses."""
    return TableName(f"jivsbench_contract_{uuid.uuid4().hex[:12]}")


@cache
def build_contract_table(rows: int = DEFAULT_ROWS) -> pa.Table:
    """`rows` rows: the awkward and hostile texts first, then plain ones; every seventh row has NULLs."""
    texts = (*AWKWARD_TEXTS, *HOSTILE_TEXTS)
    numbers = range(1, rows + 1)
    return pa.table(
        {
            "id": list(numbers),
            "name": [texts[n - 1] if n <= len(texts) else f"row-{n}" for n in numbers],
            "amount": [None if n % 7 == 0 else Decimal((n * 7919) % 10_000_000 - 5_000_000).scaleb(-2) for n in numbers],
            "ratio": [None if n % 7 == 1 else n / 8 - 100.1 for n in numbers],
            "is_active": [None if n % 7 == 2 else n % 3 == 0 for n in numbers],  # noqa: PLR2004 - one of the seven
            "created_at": [None if n % 7 == 3 else _START + timedelta(hours=n, microseconds=n) for n in numbers],  # noqa: PLR2004
        },
        SCHEMA,
    )


def normalize(rows: pa.Table, like: pa.Table) -> pa.Table:
    """Values alone, in the types and the order of `like`: a source without decimals may give them as text."""
    columns = {name: rows[name].cast(like.schema.field(name).type) for name in like.column_names}
    return pa.table(columns).combine_chunks().sort_by(like.column_names[0])


def select(rows: pa.Table, filters: Iterable[Filter]) -> list[int]:
    """Ids of the rows that every filter matches, worked out row by row in plain Python."""
    conditions = tuple(filters)
    return [row["id"] for row in rows.to_pylist() if all(_is_match(row[c.column], c) for c in conditions)]


def _is_match(value: Any, condition: Filter) -> bool:
    if condition.operator is Operator.IS_NULL:
        return value is None
    if condition.operator is Operator.IS_NOT_NULL:
        return value is not None
    if value is None:
        return False
    if condition.operator is Operator.LIKE:
        pattern = "".join({"%": ".*", "_": "."}.get(mark, re.escape(mark)) for mark in str(condition.values[0]))
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    wanted = [_convert(given, value) for given in condition.values]
    return value in wanted if condition.operator is Operator.IN else _COMPARE[condition.operator](value, wanted[0])


def _convert(given: object, value: Any) -> Any:
    """The given value in the type of the column's value."""
    if isinstance(value, datetime):
        return datetime.fromisoformat(str(given))
    if isinstance(value, bool):
        return given
    return type(value)(str(given))


_COMPARE: Final[dict[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQUAL: eq,
    Operator.NOT_EQUAL: ne,
    Operator.LESS: lt,
    Operator.LESS_OR_EQUAL: le,
    Operator.GREATER: gt,
    Operator.GREATER_OR_EQUAL: ge,
}
