"""Excel workbooks (.xlsx), read row by row. A cell without a value is NULL; a workbook has no other one."""

import io
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

import pyarrow as pa

from jivsbench.errors import ConfigError, ExtractionError, MissingObjectError
from jivsbench.model.table import Column
from jivsbench_files.limits import refuse_excess
from jivsbench_files.streams import WatchedFile
from jivsbench_files.tables import OpenedFile, Portion
from jivsbench_files.text_survey import check_names
from jivsbench_files.typed_values import CellError, ValueColumns, build_batch

Record = dict[str, object]
_BATCH_RECORDS: Final = 2048
_MAX_ROWS: Final = 1_048_576
_MAX_PARTS: Final = 10_000
# Half of a surrogate pair is no character: its escape stays the text that it is.
_ESCAPE: Final = re.compile("_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    SyntaxError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
)
"""What openpyxl raises for a file that is none of its own: it checks little, so nearly anything."""


class WorkbookFormat:
    """`.xlsx`."""

    suffixes = (".xlsx",)
    can_be_compressed = False

    def survey(self) -> "WorkbookSurvey":
        """A new look."""
        return WorkbookSurvey()

    def read(self, opened: OpenedFile, portion: Portion, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - a sheet is one portion
        """Stream the rows of the sheet."""
        row = 0
        _, chunks = _open_records(opened, _read_rows(opened, has_values=True))
        for records in chunks:
            yield build_batch(records, columns, opened, row)
            row += len(records)


class WorkbookSurvey:
    """Finds the kinds of all cells, and formulas that were never worked out."""

    def __init__(self) -> None:
        self._columns = ValueColumns()

    def take(self, opened: OpenedFile) -> tuple[Portion, ...]:
        """Read a sheet once. What it says of its size is its writer's guess, so there is no second count."""
        row = 0
        names, chunks = _open_records(opened, _read_checked_rows(opened))
        self._columns.look_at([dict.fromkeys(names)], opened, 0)
        for records in chunks:
            self._columns.look_at(records, opened, row)
            row += len(records)
        self._columns.end(opened)
        return (Portion(opened.name, opened.version, 0, None, 0, None),)

    def columns(self) -> tuple[Column, ...]:
        """The names of the sheet's first row."""
        return self._columns.columns()


def _open_sheet(opened: OpenedFile, *, has_values: bool) -> Any:
    """The sheet; with the values of formulas, or with the formulas."""
    buffered = io.BufferedReader(_OwnPlace(opened.raw, opened.version.size_bytes))
    _check_parts(buffered, opened)
    try:
        with warnings.catch_warnings():
            # What openpyxl leaves out (styles, charts) holds no values.
            warnings.simplefilter("ignore")
            import openpyxl

            workbook = openpyxl.load_workbook(buffered, read_only=True, data_only=has_values, keep_links=False)
    except _DAMAGE:
        raise _refuse_damage(opened) from None
    sheet = _choose_sheet(workbook, opened)
    # A sheet's own word on its size is not checked by anybody; a lie would cut rows off, or make a million empty columns.
    sheet.reset_dimensions()
    return sheet


class _OwnPlace(io.RawIOBase):
    """An open file with a place of its own, so that two archives can be read from it side by side. Never closes it."""

    def __init__(self, file: WatchedFile, size_bytes: int) -> None:
        self._descriptor = file.fileno()
        self._size_bytes = size_bytes
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into the buffer."""
        found = os.preadv(self._descriptor, [buffer], self._at)
        self._at += found
        return found

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to another place."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence])
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at


def _check_parts(file: IO[bytes], opened: OpenedFile) -> None:
    """Refuse a workbook that unpacks to more than the limit. Python's reader gives no more of a part than is declared here."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except _DAMAGE:
        raise _refuse_damage(opened) from None
    limit, unpacked = opened.limits.max_workbook_bytes, sum(part.file_size for part in parts)
    if unpacked > limit or len(parts) > _MAX_PARTS:
        raise refuse_excess(
            repr(opened.name), "max_workbook_bytes", limit, f"its {len(parts):,} parts unpack to {unpacked:,} bytes"
        )


def _choose_sheet(workbook: Any, opened: OpenedFile) -> Any:
    names, wanted = workbook.sheetnames, opened.options.sheet
    if not wanted and len(names) > 1:
        raise ConfigError(f"{opened.name!r} has {len(names)} sheets: choose one with ?sheet=NAME in the source's URL")
    if (wanted or names[0]) not in names:
        raise MissingObjectError(f"{opened.name!r} has no sheet {wanted!r}: it has {', '.join(names[:20])}")
    return workbook[wanted or names[0]]


def _read_rows(opened: OpenedFile, *, has_values: bool) -> Iterator[tuple[Any, ...]]:
    sheet = _open_sheet(opened, has_values=has_values)
    try:
        for number, cells in enumerate(sheet.iter_rows()):
            opened.watch()
            if number >= _MAX_ROWS:
                raise ExtractionError(f"{opened.name!r} has rows past {_MAX_ROWS:,}, where Excel's sheets end: make it anew")
            if len(cells) > opened.limits.max_columns:
                found = f"row {number} reaches to column {len(cells):,}"
                raise refuse_excess(repr(opened.name), "max_columns", opened.limits.max_columns, found)
            yield cells
    except _DAMAGE:
        raise _refuse_damage(opened) from None


def _open_records(opened: OpenedFile, rows: Iterator[tuple[Any, ...]]) -> tuple[list[str], Iterator[list[Record]]]:
    """The columns' names in the first row, and the rows after it."""
    names = _read_names(next(rows, ()), opened)
    return names, _read_records(opened, rows, names)


def _read_records(opened: OpenedFile, rows: Iterator[tuple[Any, ...]], names: list[str]) -> Iterator[list[Record]]:
    """Empty rows at the end are no rows; those between others are rows of NULLs."""
    records: list[Record] = []
    empty = done = 0
    for cells in rows:
        values = [_read_cell(cell) for cell in cells]
        if all(value is None for value in values):
            empty += 1
            continue
        records += ({} for _ in range(empty))
        empty = 0
        if any(value is not None for value in values[len(names) :]):
            raise ExtractionError(
                f"{opened.name!r}, row {done + len(records) + 1}: there is a value right of the last column's name"
            )
        records.append(dict(zip(names, values, strict=False)))
        if len(records) >= _BATCH_RECORDS:
            done += len(records)
            yield records
            records = []
    if records:
        yield records


def _read_names(cells: tuple[Any, ...], opened: OpenedFile) -> list[str]:
    values = [_read_cell(cell) for cell in cells]
    while values and values[-1] is None:
        values.pop()
    if not values or any(type(value) is not str or not value for value in values):
        raise ExtractionError(f"{opened.name!r}: the first row of the sheet must hold the columns' names, a text in each cell")
    names = [str(value) for value in values]
    check_names(names, opened, has_declared=False)
    return names


def _read_cell(cell: Any) -> object:
    value = cell.value
    if cell.data_type == "e":
        return CellError(value)
    if type(value) is str and "_x" in value:
        # Excel writes characters that XML lacks as _x000D_ and the like, which openpyxl leaves as they are.
        return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), value)
    return value


def _read_checked_rows(opened: OpenedFile) -> Iterator[tuple[Any, ...]]:
    """Rows of values; a formula without one is refused: openpyxl gives nothing for it, which would be NULL without a word."""
    rows = zip(_read_rows(opened, has_values=False), _read_rows(opened, has_values=True), strict=True)
    for number, (formulas, values) in enumerate(rows):
        for formula, value in zip(formulas, values, strict=True):
            if formula.data_type == "f" and value.value is None and value.data_type == "n":
                raise ExtractionError(
                    f"{opened.name!r}, row {number}: cell {formula.coordinate} holds a formula that was never worked out: "
                    "open the workbook in a spreadsheet program and save it"
                )
        yield values


def _refuse_damage(opened: OpenedFile) -> ExtractionError:
    return ExtractionError(
        f"{opened.name!r} is no workbook that can be read: it is damaged, encrypted or holds a DTD; save it anew"
    )
