"""How a large table is split: into ranges of a key, at values that cut a sample of its rows into equal parts."""

from collections.abc import Sequence

from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_mysql.arrow_types import is_numeric, is_text, word_of
from jivsbench_mysql.catalogue import Key
from jivsbench_mysql.statements import quote_name, quote_table

# Below this a second part costs more (a statement, a file) than it saves.
MIN_ROWS_TO_SPLIT = 50_000
MIN_ROWS_PER_PART = 25_000
_SAMPLED_PER_PART = 1000
"""Rows of the sample for each part: the parts' sizes then differ by some three per cent."""
_SEED = 20_240_101

Bound = tuple[str, ...]
"""A value for each column of the key, as literals."""


def can_split(request: ExtractionRequest) -> bool:
    """Only whole tables: with a filter the key says nothing about how many rows remain."""
    return request.table is not None and not request.filters and request.row_limit is None


def count_parts(rows: int, streams: int) -> int:
    """As many as there are streams, unless the parts would be small."""
    return min(streams, rows // MIN_ROWS_PER_PART) if rows > MIN_ROWS_TO_SPLIT else 1


def build_sample(table: TableName, key: Key, rows: int, parts: int) -> str:
    """Keys of some rows, in the server's own order: one pass over the smallest index that holds them, and no sorting of the rest.

    The seed is fixed, so that the same table is cut at the same places again.
    """
    share = min(1.0, _SAMPLED_PER_PART * parts / rows)
    names = [quote_name(column.name) for column in key.columns]
    literals = ", ".join(_build_literal(name, column.server_type) for name, column in zip(names, key.columns, strict=True))
    order = ", ".join(names)
    not_null = f" AND {names[0]} IS NOT NULL" if key.is_nullable else ""
    return f"SELECT {literals} FROM {quote_table(table)} WHERE rand({_SEED}) < {share:.6f}{not_null} ORDER BY {order}"  # noqa: S608 - names are quoted


def _build_literal(name: str, server_type: str) -> str:
    """An expression whose text is a literal of the value, written by the server itself."""
    if is_numeric(server_type):
        return f"CAST({name} AS CHAR)"
    if is_text(server_type):
        return f"concat('_utf8mb4 X''', hex(CONVERT({name} USING utf8mb4)), '''')"
    if word_of(server_type) in ("binary", "varbinary"):
        return f"concat('X''', hex({name}), '''')"
    return f"concat('''', {name}, '''')"


def choose_bounds(sample: Sequence[Bound], parts: int) -> list[Bound]:
    """The keys that cut the sample into equal parts, each once."""
    return list(dict.fromkeys(sample[len(sample) * index // parts] for index in range(1, parts))) if sample else []


def build_ranges(key: Key, bounds: Sequence[Bound]) -> tuple[str, ...]:
    """Half-open ranges whose union is the table: the first has no start, the last no end, and NULL has a part of its own."""
    names = [quote_name(column.name) for column in key.columns]
    starts = ["", *(_compare(names, bound, ">", ">=") for bound in bounds)]
    ends = [*(_compare(names, bound, "<", "<") for bound in bounds), ""]
    ranges = [" AND ".join(filter(None, pair)) for pair in zip(starts, ends, strict=True)]
    if key.is_nullable:
        # The first range has an end and the last a start, so NULL is in neither.
        return (f"{names[0]} IS NULL", *(text or f"{names[0]} IS NOT NULL" for text in ranges))
    return tuple(ranges)


def _compare(names: Sequence[str], bound: Bound, strict: str, last: str) -> str:
    """`(a, b) < (x, y)`, written out: the server finds its way in the index by this form, and not by that one."""
    name, value = names[0], bound[0]
    if len(names) == 1:
        return f"{name} {last} {value}"
    return f"({name} {strict} {value} OR ({name} = {value} AND {_compare(names[1:], bound[1:], strict, last)}))"
