"""Parquet. Its schema and its numbers of rows are in the footer; the pages are looked at before Arrow unpacks them."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jivsbench.errors import ConfigError, ExtractionError
from jivsbench.model.table import Column
from jivsbench_files.limits import refuse_excess
from jivsbench_files.pages import check_pages, is_dictionary
from jivsbench_files.tables import OpenedFile, Portion
from jivsbench_files.text_survey import check_names

_BATCH_ROWS: Final = 16_384
_BUFFER_BYTES: Final = 1 << 20
_WIDEST_VALUE_BYTES: Final = 32
_MAX_FOOTER_BYTES: Final = 64 << 20


class ParquetFormat:
    """`.parquet`."""

    suffixes = (".parquet",)
    can_be_compressed = False

    def survey(self) -> "ParquetSurvey":
        """A new look."""
        return ParquetSurvey()

    def read(self, opened: OpenedFile, portion: Portion, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
        """Stream row groups, a bounded number of rows at a time."""
        metadata = _open(opened).metadata
        groups = list(range(portion.start, metadata.num_row_groups if portion.stop is None else portion.stop))
        names = [column.name for column in columns]
        largest_bytes = check_pages(opened, metadata, groups, names)
        # A dictionary makes much out of little: it is unfolded here, after its size is known.
        folded = [
            column.name for column in columns if pa.types.is_string(column.arrow_type) or pa.types.is_binary(column.arrow_type)
        ]
        rows = _BATCH_ROWS if largest_bytes is None else max(1, min(_BATCH_ROWS, opened.limits.max_batch_bytes // largest_bytes))
        file = _open(opened, [name for name in folded if is_dictionary(metadata, groups, name)])
        try:
            for batch in file.iter_batches(rows, row_groups=groups, columns=names, use_threads=False):
                _check_size(batch, opened)
                yield pa.RecordBatch.from_arrays([_unfold(batch.column(name)) for name in names], names=names)
        except (pa.ArrowException, OSError):
            raise _refuse_damage(opened) from None


class ParquetSurvey:
    """Reads footers alone."""

    def __init__(self) -> None:
        self._columns: tuple[Column, ...] = ()

    def take(self, opened: OpenedFile) -> tuple[Portion, ...]:
        """One portion for each row group."""
        if opened.declared:
            raise ConfigError(f"{opened.name!r} says its own types: remove the declaration beside it")
        metadata = _open(opened).metadata
        columns = tuple(_build_column(field) for field in metadata.schema.to_arrow_schema())
        check_names([column.name for column in columns], opened)
        if self._columns and self._columns != columns:
            raise ExtractionError(f"{opened.name!r} has not the columns of the files before it: files of one table have the same")
        self._columns = columns
        first_row = 0
        portions = []
        for number in range(metadata.num_row_groups):
            rows = metadata.row_group(number).num_rows
            portions.append(Portion(opened.name, opened.version, number, number + 1, first_row, rows))
            first_row += rows
        return tuple(portions)

    def columns(self) -> tuple[Column, ...]:
        """All columns."""
        return self._columns


def _open(opened: OpenedFile, folded: list[str] | None = None) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(
            pa.PythonFile(opened.raw, mode="r"),
            read_dictionary=folded,
            # Otherwise whole row groups would be held, however large their writer has made them.
            pre_buffer=False,
            buffer_size=_BUFFER_BYTES,
            thrift_string_size_limit=_MAX_FOOTER_BYTES,
            thrift_container_size_limit=_MAX_FOOTER_BYTES,
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError):
        raise _refuse_damage(opened) from None


def _refuse_damage(opened: OpenedFile) -> ExtractionError:
    return ExtractionError(f"{opened.name!r} is no whole Parquet file: it is cut off, damaged or encrypted; make it anew")


def _build_column(field: pa.Field) -> Column:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return Column(field.name, str(field.type), kind, field.nullable)


def _check_size(batch: pa.RecordBatch, opened: OpenedFile) -> None:
    """Refuse a batch whose dictionaries would unfold to more than the limit."""
    unfolded = sum(_unfolded_bytes(column) for column in batch.columns)
    if unfolded > opened.limits.max_batch_bytes:
        found = f"{batch.num_rows:,} rows take {unfolded:,} bytes"
        raise refuse_excess(repr(opened.name), "max_batch_bytes", opened.limits.max_batch_bytes, found)


def _unfolded_bytes(column: pa.Array) -> int:
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    if pa.types.is_string(column.type.value_type) or pa.types.is_binary(column.type.value_type):
        lengths = pc.cast(pc.binary_length(column.dictionary), pa.int64())
        return int(pc.sum(lengths.take(column.indices)).as_py() or 0)
    return len(column) * _WIDEST_VALUE_BYTES


def _unfold(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
