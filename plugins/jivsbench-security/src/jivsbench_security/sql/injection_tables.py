"""The tables that SEC-001 makes for itself: rows to find, and a canary that must stay as it is."""

import datetime as dt
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from jivsbench.api import CheckContext, Connection
from jivsbench.errors import MissingObjectError
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_security.payloads import Victims
from jivsbench_security.planted_tables import need_unicode_source, plant_table

BENIGN: Final = "plain row 7"
_PLAIN_ROWS: Final = 40
_FIRST_DAY: Final = dt.date(2024, 1, 1)
_SCHEMA: Final = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("amount", pa.int64(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
    ]
)
_CANARY_SCHEMA: Final = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("note", pa.string())])
_CANARY_ROWS: Final = ((1, "alive"), (2, "untouched"))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the attacked table."""

    id: int
    label: str
    amount: int
    day: dt.date


def choose_names() -> Victims:
    """Names that no other run uses."""
    token = secrets.token_hex(5)
    return Victims(f"jivsbench_attack_{token}", f"jivsbench_canary_{token}")


def build_rows(texts: Sequence[str]) -> tuple[Row, ...]:
    """Plain rows, then one row for each of `texts`: a payload that is somebody's data must be found as such."""
    labels = [f"plain row {index}" for index in range(1, _PLAIN_ROWS + 1)]
    labels += [text for text in dict.fromkeys(texts) if "\x00" not in text]
    return tuple(
        Row(index, label, index * 10, _FIRST_DAY + dt.timedelta(days=index)) for index, label in enumerate(labels, start=1)
    )


@contextmanager
def tables_in_place(context: CheckContext, names: Victims, rows: Sequence[Row]) -> Iterator[None]:
    """Both tables, dropped again whatever happens, with the one that a payload may have made. Raises SourceUnfitError."""
    need_unicode_source(context)
    batch = pa.RecordBatch.from_pylist(
        [{"id": r.id, "label": r.label, "amount": r.amount, "day": r.day} for r in rows], schema=_SCHEMA
    )
    alive = pa.RecordBatch.from_pylist([{"id": key, "note": note} for key, note in _CANARY_ROWS], schema=_CANARY_SCHEMA)
    with ExitStack() as exits:
        exits.enter_context(plant_table(context, names.table, batch))
        exits.enter_context(plant_table(context, names.canary, alive))
        loader = context.loader()
        if loader is not None:
            exits.callback(loader.drop_table, context.data_source(), TableName(f"{names.canary}_x"))
        yield


class CanaryWatch:
    """Looks at the source behind the target's back, to see whether everything is as it was."""

    def __init__(self, connection: Connection, names: Victims, row_count: int) -> None:
        self._connection = connection
        self._names = names
        self._row_count = row_count
        self._tables = self._own_tables()

    def find_damage(self) -> str | None:
        """What has changed since the start; None when nothing has."""
        if self._own_tables() != self._tables:
            return "a table appeared or disappeared"
        self._connection.begin()
        try:
            if sorted(self._read(self._names.canary, ("id", "note"))) != sorted(_CANARY_ROWS):
                return "the canary table's rows changed"
            if len(self._read(self._names.table, ("id",))) != self._row_count:
                return "the attacked table lost or gained rows"
        except MissingObjectError:
            return "a table lost a column"
        finally:
            self._connection.reset()
        return None

    def _own_tables(self) -> frozenset[str]:
        """Tables of this run alone; what others do to the database meanwhile is not the target's doing."""
        token = self._names.table.rpartition("_")[2]
        self._connection.begin()
        try:
            return frozenset(str(table) for table in self._connection.tables() if token in table.name)
        finally:
            self._connection.reset()

    def _read(self, name: str, columns: tuple[str, ...]) -> list[tuple[object, ...]]:
        request = ExtractionRequest(source="oracle", table=TableName(name), columns=columns)
        schema = self._connection.schema(request)
        rows: list[tuple[object, ...]] = []
        for partition in self._connection.partitions(request, schema, 1):
            for batch in self._connection.read(partition):
                rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
        return rows
