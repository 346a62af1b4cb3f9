"""CSV and TSV. Arrow reads them; a strict counter of quotes and line ends looks at every byte before."""

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.csv as pacsv

from jivsbench.errors import ExtractionError
from jivsbench.model.table import Column
from jivsbench_files.encodings import Utf8Reader
from jivsbench_files.limits import refuse_excess
from jivsbench_files.quoting import Checkpoint, RecordCounter
from jivsbench_files.streams import CODECS, ByteSource, WatchedFile
from jivsbench_files.tables import OpenedFile, Portion
from jivsbench_files.text_survey import TextColumns, convert_batch

_READ_BYTES: Final = 1 << 20
_HEAD_BYTES: Final = 64 * 1024
_BATCH_ROWS: Final = 64 * 1024


class DelimitedFormat:
    """`.csv` and `.tsv`."""

    suffixes = (".csv", ".tsv")
    can_be_compressed = True

    def survey(self) -> "DelimitedSurvey":
        """A new look."""
        return DelimitedSurvey()

    def read(self, opened: OpenedFile, portion: Portion, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:
        """Stream a portion; a byte range starts at a record, whose place the counter has found."""
        head = _Head(opened)
        feed = head.feed()
        if portion.stop is not None:
            opened.raw.seek(portion.start)
            feed = _Feed(Utf8Reader(_UpTo(opened.raw, portion.stop), "utf-8", opened.name, is_inside=True), b"")
        row = portion.first_row
        for texts in _read_texts(opened, head.names, feed, [column.name for column in columns], row):
            yield convert_batch(texts, columns, opened, row)
            row += texts.num_rows


class DelimitedSurvey:
    """Counts the records of each file and finds the types of all of their values."""

    def __init__(self) -> None:
        self._columns = TextColumns()

    def take(self, opened: OpenedFile) -> tuple[Portion, ...]:
        """Read a file once, as Arrow and as the counter understand it."""
        head = _Head(opened)
        self._columns.expect(head.names, opened)
        counter = _build_counter(opened, 1 + head.lines, has_one_column=len(head.names) == 1)
        wanted = self._columns.undeclared(opened)
        rows = 0
        for texts in _read_texts(opened, head.names, head.feed(counter), wanted or head.names[:1], 0):
            rows += texts.num_rows
            for name in wanted:
                self._columns.look_at(name, texts.column(name))
        if rows != counter.rows:
            raise ExtractionError(
                f"{opened.name!r}: one way of reading finds {rows} rows and another {counter.rows}: check its line ends"
            )
        return _divide(opened, counter, head.data_start)

    def columns(self) -> tuple[Column, ...]:
        """All columns."""
        return self._columns.columns()


class _Head:
    """A file that was read up to its first row."""

    def __init__(self, opened: OpenedFile) -> None:
        self._source = Utf8Reader(opened.content, opened.options.encoding, opened.name)
        first, self._rest = _read_record(self._source, opened)
        names = _parse_record(first, opened)
        self.lines = 0
        self.data_start = self._source.mark_bytes
        if opened.options.has_header:
            self.names = names
            self.lines = first.count(b"\n")
            self.data_start += len(first)
        else:
            self.names = list(opened.declared) or [f"column_{number}" for number in range(1, len(names) + 1)]
            self._rest = first + self._rest
            if len(self.names) != len(names):
                raise ExtractionError(
                    f"{opened.name!r} has {len(names)} columns without a header, and {len(self.names)} are declared: declare each"
                )

    def feed(self, counter: RecordCounter | None = None) -> "_Feed":
        """The rows after the header."""
        return _Feed(self._source, self._rest, counter)


class _Feed:
    """What Arrow reads from: full blocks, each shown to the counter before."""

    closed = False

    def __init__(self, source: ByteSource, rest: bytes, counter: RecordCounter | None = None) -> None:
        self._source = source
        self._rest = rest
        self._counter = counter

    def read(self, size: int = -1, /) -> bytes:
        """Exactly `size` bytes until the end. Arrow promises to cut no record only when blocks are full."""
        parts, missing = [], size if size >= 0 else _READ_BYTES
        while missing:
            chunk = self._rest or self._source.read(missing)
            if not chunk:
                break
            parts.append(chunk[:missing])
            self._rest = chunk[missing:]
            missing -= len(parts[-1])
        block = b"".join(parts)
        if self._counter is not None:
            if block:
                self._counter.feed(block)
            if missing:
                self._counter.finish()
                self._counter = None
        return block

    def close(self) -> None:
        """Nothing: the file is closed by who opened it."""


class _UpTo:
    """A file until a place in it."""

    def __init__(self, file: WatchedFile, stop: int) -> None:
        self._file = file
        self._stop = stop

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none past the place."""
        return self._file.read(max(min(size, self._stop - self._file.tell()), 0)) or b""


def _delimiter(opened: OpenedFile) -> str:
    has_tabs = opened.name.lower().endswith((".tsv", *(f".tsv{codec}" for codec in CODECS)))
    return opened.options.delimiter or ("\t" if has_tabs else ",")


def _build_counter(opened: OpenedFile, first_line: int, *, has_one_column: bool) -> RecordCounter:
    limit = opened.limits.max_record_bytes
    return RecordCounter(_delimiter(opened), opened.name, limit, first_line=first_line, has_one_column=has_one_column)


def _read_record(source: Utf8Reader, opened: OpenedFile) -> tuple[bytes, bytes]:
    """The first record with its line end, and what was read after it."""
    buffer, looked = b"", 0
    while True:
        chunk = source.read(_HEAD_BYTES)
        buffer += chunk
        while (end := buffer.find(b"\n", looked)) >= 0:
            looked = end + 1
            if buffer.count(b'"', 0, end) % 2 == 0:
                return buffer[:looked], buffer[looked:]
        if not chunk:
            if not buffer:
                raise ExtractionError(f"{opened.name!r} is empty: a CSV file has at least a header, unless header=no is set")
            return buffer, b""
        looked = len(buffer)
        if looked > opened.limits.max_record_bytes:
            raise refuse_excess(
                f"{opened.name!r}, first record",
                "max_record_bytes",
                opened.limits.max_record_bytes,
                f"it has more than {looked:,} bytes",
            )


def _parse_record(record: bytes, opened: OpenedFile) -> list[str]:
    """Its values. Counted before they are parsed: a million columns cost memory in every later step."""
    found = record.count(_delimiter(opened).encode()) + 1
    if found > opened.limits.max_columns:
        raise refuse_excess(
            repr(opened.name), "max_columns", opened.limits.max_columns, f"the first record has up to {found:,} columns"
        )
    counter = _build_counter(opened, 1, has_one_column=True)
    counter.feed(record)
    counter.finish()
    try:
        text = record.decode().rstrip("\r\n")
        values = next(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(opened), strict=True), [""])
    except csv.Error:
        raise ExtractionError(
            f"{opened.name!r}, line 1: the first record has quotes that are not those of CSV, or a value of more than "
            f"{csv.field_size_limit():,} characters; correct it"
        ) from None
    return values


def _read_texts(opened: OpenedFile, names: list[str], feed: _Feed, wanted: list[str], row: int) -> Iterator[pa.RecordBatch]:
    """Batches of texts. An unquoted empty value is NULL and a quoted one the empty text, as PostgreSQL's COPY has it."""
    block_bytes = max(_READ_BYTES, opened.limits.max_record_bytes)
    first = feed.read(block_bytes)
    if not first:
        return
    if first.startswith(codecs.BOM_UTF8):
        # The file's own mark is gone already. Arrow takes one away too, so it gets one, and the value keeps its own.
        first = codecs.BOM_UTF8 + first
    uneven: list[pacsv.InvalidRow] = []

    def note(found: pacsv.InvalidRow) -> str:
        uneven.append(found)
        return "error"

    try:
        reader = pacsv.open_csv(
            pa.PythonFile(_Feed(feed, first), mode="r"),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=block_bytes, column_names=names),
            parse_options=pacsv.ParseOptions(
                delimiter=_delimiter(opened), newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note
            ),
            convert_options=pacsv.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                include_columns=wanted,
            ),
        )
        for batch in reader:
            # Arrow reads ahead, so that the file can be at its end long before its rows are.
            opened.watch()
            # A block of short values has millions of rows, and what is made of them takes many times its size.
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                part = batch.slice(start, _BATCH_ROWS)
                row += part.num_rows
                yield part
    except pa.ArrowInvalid:
        if uneven:
            raise _refuse_uneven(opened, uneven[0], row, len(names)) from None
        raise ExtractionError(
            f"{opened.name!r}, after row {row}: this is not CSV that can be read without guessing; check quotes and line ends"
        ) from None


def _refuse_uneven(opened: OpenedFile, found: pacsv.InvalidRow, before: int, columns: int) -> ExtractionError:
    where = f"row {found.number}" if found.number else f"after row {before}"
    return ExtractionError(
        f"{opened.name!r}, {where}: there are {found.actual_columns} values for {columns} columns; correct the row, "
        "or set the delimiter of the source if it is another"
    )


def _divide(opened: OpenedFile, counter: RecordCounter, data_start: int) -> tuple[Portion, ...]:
    """Byte ranges between records where bytes of the file are bytes of the text; else the file as a whole."""
    if opened.is_compressed or opened.options.encoding != "utf-8":
        return (Portion(opened.name, opened.version, 0, None, 0, counter.rows),)
    starts = (Checkpoint(0, 0), *counter.checkpoints)
    ends = (*counter.checkpoints, Checkpoint(opened.version.size_bytes - data_start, counter.rows))
    return tuple(
        Portion(
            opened.name, opened.version, data_start + start.offset, data_start + end.offset, start.rows, end.rows - start.rows
        )
        for start, end in zip(starts, ends, strict=True)
    )
