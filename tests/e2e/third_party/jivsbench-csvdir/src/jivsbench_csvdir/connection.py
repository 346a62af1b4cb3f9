"""A session with a folder of CSV files."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from jivsbench.errors import ExtractionError, MissingObjectError
from jivsbench.model.source import ServerFacts
from jivsbench.model.table import Column, ExtractionRequest, Fingerprint, Partition, TableName, TableSchema
from jivsbench_csvdir.filters import build_expression

_PARSE = pa_csv.ParseOptions(newlines_in_values=True)
_CONVERT = pa_csv.ConvertOptions(null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False)


class CsvFolderConnection:
    """Reads a file from its start each time; one partition, since a CSV file cannot be split without reading it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_cancelled = threading.Event()
        self._is_reading = False
        self._is_closed = False

    def test(self) -> ServerFacts:
        """Arrow is the server here."""
        return ServerFacts("Arrow CSV", pa.__version__, "", self._folder.name, may_write=False)

    def is_alive(self) -> bool:
        """True while it is open and the folder is there."""
        return not self._is_closed and self._folder.is_dir()

    def tables(self) -> tuple[TableName, ...]:
        """One for each file."""
        return tuple(TableName(path.stem) for path in sorted(self._folder.glob("*.csv")))

    def begin(self, snapshot: str | None = None) -> str | None:  # noqa: ARG002 - files have no snapshot
        """Files have no view that could be shared."""
        return None

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """Columns by the file's header, types by its first block. Raises MissingObjectError."""
        with self._open(request) as reader:
            found = reader.schema
        for name in (*request.columns, *(condition.column for condition in request.filters)):
            if name not in found.names:
                raise MissingObjectError(f"the file {request.table}.csv has no column {name!r}")
        names = request.columns or tuple(found.names)
        return TableSchema(tuple(Column(n, "csv", found.field(n).type, is_nullable=True) for n in names))

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:  # noqa: ARG002 - one part
        """The whole."""
        return (Partition(0, request, schema),)

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """Stream the file. Raises ExtractionError when it is cancelled."""
        request, left = partition.request, partition.request.row_limit
        names = [column.name for column in partition.schema.columns]
        self._is_cancelled.clear()
        self._is_reading = True
        try:
            with self._open(request) as reader:
                conditions = [build_expression(condition, reader.schema) for condition in request.filters]
                for batch in reader:
                    if self._is_cancelled.is_set():
                        raise ExtractionError("the read was cancelled")
                    for condition in conditions:
                        batch = batch.filter(condition)  # noqa: PLW2901 - narrowed step by step
                    rows = batch.select(names).slice(0, left)
                    left = None if left is None else left - rows.num_rows
                    yield rows.cast(partition.schema.to_arrow())
                    if left == 0:
                        return
        except pa.ArrowInvalid as exc:
            raise ExtractionError(f"the file {request.table}.csv does not keep the types of its first block") from exc
        finally:
            self._is_reading = False

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """Counted by a read of its own."""
        return Fingerprint(row_count=sum(batch.num_rows for batch in self.read(partition)))

    def cancel(self) -> None:
        """End the running read before its next batch."""
        if self._is_reading:
            self._is_cancelled.set()

    def reset(self) -> None:
        """Nothing is kept between reads."""
        self._is_cancelled.clear()

    def close(self) -> None:
        """No file stays open."""
        self._is_closed = True

    def _open(self, request: ExtractionRequest) -> pa_csv.CSVStreamingReader:
        if request.table is None:
            raise ExtractionError("a folder of CSV files knows no SQL: ask for a table")
        # Only a name that is listed is opened, so that none can leave the folder.
        if request.table not in self.tables():
            raise MissingObjectError(f"the folder has no file {request.table}.csv")
        return pa_csv.open_csv(self._folder / f"{request.table}.csv", parse_options=_PARSE, convert_options=_CONVERT)
