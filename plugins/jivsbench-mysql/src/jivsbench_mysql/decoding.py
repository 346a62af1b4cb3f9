"""Blocks of rows into Arrow record batches of exactly the schema that was asked for, column by column."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import TypePolicyError
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import TableSchema
from jivsbench_mysql.arrow_types import is_partial
from jivsbench_mysql.row_buffer import Block, ColumnPlaces

_ANY_DAY = "1970-01-01"


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes the blocks of one read. `table` is only for messages."""

    schema: TableSchema
    table: str
    policy: TypePolicy
    batch_rows: int

    def decode(self, block: Block) -> Iterator[pa.RecordBatch]:
        """The rows of a block. Raises TypePolicyError naming table and column."""
        places = block.locate(len(self.schema.columns))
        data = pa.py_buffer(block.data)
        arrays = [self._build_array(data, column, index) for index, column in enumerate(places)]
        batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema.to_arrow())
        for start in range(0, batch.num_rows, self.batch_rows):
            yield batch.slice(start, self.batch_rows)

    def _build_array(self, data: pa.Buffer, places: ColumnPlaces, index: int) -> pa.Array:
        arrow_type = self.schema.columns[index].arrow_type
        is_binary = pa.types.is_binary(arrow_type)
        texts = _gather(data, places, pa.binary() if is_binary else pa.string())
        if is_binary:
            return texts
        try:
            # The text came from the server, and what is not UTF-8 must not get further as a text.
            texts.validate(full=True)
            return _convert(texts, arrow_type)
        except pa.ArrowInvalid:
            # No cause: Arrow's message repeats the value.
            if self.policy is TypePolicy.NULL and is_partial(arrow_type):
                return _convert(_drop_unfit(texts, arrow_type), arrow_type)
            raise self._refuse(index) from None

    def _refuse(self, index: int) -> TypePolicyError:
        column = self.schema.columns[index]
        return TypePolicyError(
            f"{self.table}: column {column.name!r} ({column.server_type}) holds a value that Arrow's {column.arrow_type} "
            "cannot hold: set the source's type_policy to 'text' or 'null', or leave the column out"
        )


def _gather(data: pa.Buffer, places: ColumnPlaces, arrow_type: pa.DataType) -> pa.Array:
    """The values of a column, copied out of the block.

    To Arrow the whole block is an array in which a value, and what stands between it and the next one, take turns; taking
    every second one copies the values together, without a step of Python for any of them.
    """
    rows = len(places.starts)
    turns = np.empty(2 * rows, np.int32)
    turns[0::2], turns[1::2] = places.starts, places.ends
    mixed = pa.Array.from_buffers(arrow_type, 2 * rows - 1, [None, pa.py_buffer(turns), data])
    return mixed.take(pa.array(np.arange(0, 2 * rows, 2, dtype=np.int32), mask=places.nulls))


def _convert(texts: pa.Array, arrow_type: pa.DataType) -> pa.Array:
    if pa.types.is_string(arrow_type):
        return texts
    if pa.types.is_timestamp(arrow_type) and arrow_type.tz:
        # The server writes UTC and does not say so.
        return texts.cast(pa.timestamp(arrow_type.unit)).cast(arrow_type)
    if pa.types.is_time(arrow_type):
        # Arrow reads no times, but moments: one beyond a day, or below zero, is none of that day.
        moments = pc.binary_join_element_wise(_ANY_DAY, texts, " ").cast(pa.timestamp(arrow_type.unit))
        return moments.cast(arrow_type)
    if pa.types.is_float32(arrow_type):
        # The text is that of the double with the same value.
        return texts.cast(pa.float64()).cast(arrow_type)
    return texts.cast(arrow_type)


def _drop_unfit(texts: pa.Array, arrow_type: pa.DataType) -> pa.Array:
    """NULL for each text that the type cannot hold."""
    unfit = [text for text in pc.unique(texts).to_pylist() if text is not None and not _fits(text, arrow_type)]
    return pc.if_else(pc.is_in(texts, pa.array(unfit, pa.string())), pa.scalar(None, pa.string()), texts)


def _fits(text: str, arrow_type: pa.DataType) -> bool:
    try:
        _convert(pa.array([text]), arrow_type)
    except pa.ArrowInvalid:
        return False
    return True
