"""Records into Arrow batches of one schema. A value that does not fit is refused with its record's number, never changed."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from jivsbench.errors import TypePolicyError
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column, TableSchema
from jivsbench_rest.address import Options
from jivsbench_rest.columns import UnfitValueError, build_converter

_ABSENT = object()


def build_batches(
    pages: Iterable[list[dict[str, Any]]],
    schema: TableSchema,
    batch_rows: int,
    *,
    resource: str,
    policy: TypePolicy,
    options: Options,
    is_every_key: bool,
) -> Iterator[pa.RecordBatch]:
    """Batches of at most `batch_rows`. Raises TypePolicyError naming resource, column and the number of the record.

    With `is_every_key` the schema's columns are all that there were when it was made, and a record with another key is refused.
    """
    builder = _Builder(schema, resource, policy, options)
    number = 0
    for records in pages:
        for start in range(0, len(records), batch_rows):
            part = records[start : start + batch_rows]
            if is_every_key:
                builder.refuse_new_keys(part, number)
            yield builder.build(part, number)
            number += len(part)


class _Builder:
    def __init__(self, schema: TableSchema, resource: str, policy: TypePolicy, options: Options) -> None:
        self._schema = schema
        self._arrow = schema.to_arrow()
        self._resource = resource
        self._policy = policy
        self._may_miss = options.missing == "null"
        self._converters = [build_converter(column, policy, options.max_depth) for column in schema.columns]

    def build(self, records: Sequence[dict[str, Any]], before: int) -> pa.RecordBatch:
        """A batch of records, `before` of which came earlier."""
        columns = zip(self._schema.columns, self._converters, strict=True)
        arrays = [
            pa.array(
                [self._convert(record, column, convert, before + index) for index, record in enumerate(records, 1)],
                column.arrow_type,
            )
            for column, convert in columns
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._arrow)

    def refuse_new_keys(self, records: Sequence[dict[str, Any]], before: int) -> None:
        """Raise TypePolicyError for a key that no column stands for: it would be left out in silence."""
        names = {column.name for column in self._schema.columns}
        for number, record in enumerate(records, before + 1):
            if not record.keys() <= names:
                raise TypePolicyError(
                    f"resource {self._resource!r}: record {number} has a key that was not there when its columns were inferred: "
                    "start the extraction again, or declare `columns`"
                )

    def _convert(self, record: dict[str, Any], column: Column, convert: Any, number: int) -> object:
        value = record.get(column.name, _ABSENT)
        if value is _ABSENT:
            if self._may_miss:
                return None
            raise TypePolicyError(
                f"resource {self._resource!r}: record {number} has no key {column.name!r}: if that means NULL, say missing=null "
                "in the source's URL"
            )
        try:
            return None if value is None else convert(value)
        except UnfitValueError:
            if self._policy is TypePolicy.NULL:
                return None
            # No cause: its message may repeat the value.
            raise TypePolicyError(
                f"resource {self._resource!r}: column {column.name!r} of record {number} holds a value that {column.server_type} "
                f"(Arrow's {column.arrow_type}) cannot hold: declare another type in `columns`, or set the source's type_policy"
            ) from None
