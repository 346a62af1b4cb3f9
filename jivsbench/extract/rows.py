"""Row by row, as Python objects: what extraction code without batching does, and what the `batching` switch turns off.

Every row becomes a dict, every value is brought to what its column declares, and the list of dicts becomes one record
batch. Nothing is slowed on purpose; it is the form that the usual driver and `from_pylist` lead to.
"""

import json
from collections.abc import Callable, Iterator
from uuid import UUID

import pyarrow as pa

from jivsbench.api import Connection, RowReader
from jivsbench.errors import TypePolicyError
from jivsbench.model.table import Partition

Convert = Callable[[object], object]


def read_rows_as_batch(connection: Connection, partition: Partition) -> pa.RecordBatch:
    """Read a whole partition row by row. Raises TypePolicyError, naming the request, for a value its column cannot hold."""
    columns = partition.schema.columns
    converters = [(column.name, _build_converter(column.arrow_type)) for column in columns]
    rows: list[dict[str, object]] = []
    for values in _rows(connection, partition):
        row = {}
        for (name, convert), value in zip(converters, values, strict=True):
            row[name] = convert(value)
        rows.append(row)
    try:
        return pa.RecordBatch.from_pylist(rows, schema=partition.schema.to_arrow())
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as problem:
        asked = partition.request.table or "the query"
        raise TypePolicyError(
            f"a row of {asked} has a value that its column's type cannot hold: turn `batching` on to learn which column it is"
        ) from problem


def _rows(connection: Connection, partition: Partition) -> Iterator[tuple[object, ...]]:
    if isinstance(connection, RowReader):
        return connection.read_rows(partition)
    return (tuple(row.values()) for batch in connection.read(partition) for row in batch.to_pylist())


def _build_converter(arrow_type: pa.DataType) -> Convert:
    if pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type):
        return _to_text
    if pa.types.is_binary(arrow_type) or pa.types.is_large_binary(arrow_type):
        return _to_bytes
    return _unchanged


def _to_text(value: object) -> object:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes | bytearray | memoryview):
        # Python would write out a text that nobody stored: b'a'.
        raise TypePolicyError("a column of texts holds bytes, which are no text: turn `batching` on to learn which column it is")
    return str(value)


def _to_bytes(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview | bytearray) else value


def _unchanged(value: object) -> object:
    return value
