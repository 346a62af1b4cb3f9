"""XML: each element of the declared name is a row, its attributes and children are the values. Expat reads it as a stream.

A document type is refused as a whole: entities, external files and bombs all need one, and rows do not.
"""

from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

import pyarrow as pa

from jivsbench.errors import ConfigError, ExtractionError
from jivsbench.model.table import Column
from jivsbench_files.limits import refuse_excess
from jivsbench_files.tables import OpenedFile, Portion
from jivsbench_files.text_survey import TextColumns, convert_batch, put_declared_first

Record = dict[str, str | None]
_READ_BYTES: Final = 64 * 1024
_NIL: Final = "xsi:nil"


class XmlFormat:
    """`.xml`."""

    suffixes = (".xml",)
    can_be_compressed = True

    def survey(self) -> "XmlSurvey":
        """A new look."""
        return XmlSurvey()

    def read(self, opened: OpenedFile, portion: Portion, columns: tuple[Column, ...]) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - a file is one portion
        """Stream the records of a file."""
        row = 0
        for records in _read_records(opened):
            yield convert_batch(_to_texts(records, [column.name for column in columns]), columns, opened, row)
            row += len(records)


class XmlSurvey:
    """Finds the columns of all records and the types of all values."""

    def __init__(self) -> None:
        self._columns = TextColumns()
        self._declared: dict[str, pa.DataType] = {}

    def take(self, opened: OpenedFile) -> tuple[Portion, ...]:
        """Parse a file once. Nothing but a parser can count elements, so there is no second count."""
        for records in _read_records(opened):
            found: dict[str, list[str | None]] = {}
            for record in records:
                for name, value in record.items():
                    found.setdefault(name, []).append(value)
            self._columns.add(list(found), opened)
            for name in self._columns.undeclared(opened):
                if name in found:
                    self._columns.look_at(name, pa.array(found[name], pa.string()))
        self._columns.end(opened)
        self._declared = opened.declared
        return (Portion(opened.name, opened.version, 0, None, 0, None),)

    def columns(self) -> tuple[Column, ...]:
        """All columns: those that are declared, then the others in the order in which they come."""
        return put_declared_first(self._columns.columns(), self._declared)


def _to_texts(records: list[Record], names: list[str]) -> pa.RecordBatch:
    arrays = [pa.array([record.get(name) for record in records], pa.string()) for name in names]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _read_records(opened: OpenedFile) -> Iterator[list[Record]]:
    if not opened.options.record:
        raise ConfigError(f"{opened.name!r} is XML: say which element is a row, with ?record=NAME in the source's URL")
    handler = _Handler(opened)
    parser = expat.ParserCreate(None if opened.options.encoding == "utf-8" else opened.options.encoding)
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.add_text
    parser.StartDoctypeDeclHandler = handler.refuse_doctype
    fed_bytes = 0
    while True:
        chunk = opened.content.read(_READ_BYTES)
        fed_bytes += len(chunk)
        try:
            parser.Parse(chunk, not chunk)
        except (expat.ExpatError, ValueError, LookupError) as error:
            line = getattr(error, "lineno", parser.CurrentLineNumber)
            raise ExtractionError(f"{opened.name!r}, line {line}: this is not well-formed XML; correct the file") from None
        # One tag can be as long as the file, and expat keeps it whole.
        handler.check_length(fed_bytes - parser.CurrentByteIndex)
        if handler.records:
            yield handler.records
            handler.records = []
        if not chunk:
            return


class _Handler:
    """What expat calls. Whatever a row would lose without a word is refused: nested elements, doubled ones, loose text."""

    def __init__(self, opened: OpenedFile) -> None:
        self.records: list[Record] = []
        self._opened = opened
        self._rows = 0
        self._level = 0
        self._record_level = 0
        self._record: Record | None = None
        self._value: list[str] | None = None
        self._column = ""
        self._size = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._level += 1
        limits = self._opened.limits
        if self._level > limits.max_nesting_levels:
            raise refuse_excess(self._where(), "max_nesting_levels", limits.max_nesting_levels, "elements are nested deeper")
        if self._record is None:
            if name == self._opened.options.record:
                self._record, self._record_level, self._size = {}, self._level, 0
                self._add_attributes("", attributes)
            return
        if self._value is not None:
            raise self._refuse(f"the element {self._column!r} holds elements, and a value is a text")
        self._column, self._value = name, []
        is_nil = attributes.pop(_NIL, "false") in ("true", "1")
        self._add_attributes(name, attributes)
        self._put(name, None)
        if is_nil:
            self._column = ""

    def end(self, name: str) -> None:
        """An element ends."""
        if self._record is not None and self._level == self._record_level:
            self.records.append(self._record)
            self._record = None
            self._rows += 1
        elif self._value is not None and self._record is not None:
            if self._column:
                self._record[name] = "".join(self._value)
            elif self._value:
                raise self._refuse(f"the element {name!r} is nil and holds a text")
            self._value = None
        self._level -= 1

    def add_text(self, text: str) -> None:
        """Characters of a value."""
        if self._record is None:
            return
        self._size += len(text)
        self.check_length(self._size)
        if self._value is not None:
            self._value.append(text)
        elif text.strip():
            raise self._refuse("there is a text beside the elements of the row")

    def refuse_doctype(self, *_arguments: object) -> None:
        """A document type begins."""
        raise ExtractionError(f"{self._opened.name!r} has a document type (DTD), with which XML can be made a bomb: remove it")

    def check_length(self, length: int) -> None:
        """Refuse a row that is too long."""
        limit = self._opened.limits.max_record_bytes
        if length > limit:
            raise refuse_excess(self._where(), "max_record_bytes", limit, f"the record has at least {length:,} bytes")

    def _add_attributes(self, name: str, attributes: dict[str, str]) -> None:
        for attribute, value in attributes.items():
            self._put(f"{name}@{attribute}", value)

    def _put(self, name: str, value: str | None) -> None:
        record = self._record if self._record is not None else {}
        if name in record:
            raise self._refuse(f"the element {name!r} comes twice in one row")
        record[name] = value
        limit = self._opened.limits.max_columns
        if len(record) > limit:
            raise refuse_excess(self._where(), "max_columns", limit, f"the row has more than {limit:,} values")

    def _where(self) -> str:
        return f"{self._opened.name!r}, row {self._rows + 1}"

    def _refuse(self, found: str) -> ExtractionError:
        return ExtractionError(f"{self._where()}: {found}; rows of such files cannot be read without a loss")
