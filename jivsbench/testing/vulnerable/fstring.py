"""A connector that pastes filter values into SQL text: the hole that SEC-001 must find.

It reads through the installed connector of the same URL, so that only the hole differs from the real thing.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from types import MappingProxyType
from urllib.parse import urlsplit

import pyarrow as pa

from jivsbench.api import PROJECT, Connection, Connector, ReadLimits, RowReader, hookimpl
from jivsbench.errors import UnknownNameError
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import ExtractionRequest, Filter, Fingerprint, Operator, Partition, TableName, TableSchema


class FStringConnector:
    """Opens sessions of the real connector, and spoils what they are asked."""

    @property
    def name(self) -> str:
        """Name in a target variant."""
        return "vulnerable-fstring"

    @property
    def schemes(self) -> tuple[str, ...]:
        """Those of the installed connectors; a source that wants the hole has to name this connector all the same."""
        return tuple(sorted(list_connectors()))

    @property
    def dialect(self) -> str:
        """The text it writes is understood by all dialects; guards are told the strictest that they know."""
        return "postgres"

    def connect(self, source: DataSource, limits: ReadLimits) -> Connection:
        """Open the real connector's session and wrap it."""
        inner = find_connector(urlsplit(source.url.reveal()).scheme)
        return FStringConnection(inner.connect(replace(source, connector=inner.name), limits))


class FStringConnection:
    """A session that turns every request for a table into raw SQL text."""

    def __init__(self, inner: Connection) -> None:
        self._inner = inner

    def test(self) -> ServerFacts:
        """As the real session."""
        return self._inner.test()

    def is_alive(self) -> bool:
        """As the real session."""
        return self._inner.is_alive()

    def tables(self) -> tuple[TableName, ...]:
        """As the real session."""
        return self._inner.tables()

    def begin(self, snapshot: str | None = None) -> str | None:
        """As the real session."""
        return self._inner.begin(snapshot)

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """The columns of the text."""
        return self._inner.schema(write_query(request))

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:
        """The parts of the text."""
        return self._inner.partitions(write_query(request), schema, streams)

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """The rows of the text."""
        return self._inner.read(replace(partition, request=write_query(partition.request)))

    def read_rows(self, partition: Partition) -> Iterator[tuple[object, ...]]:
        """The rows of the text, one by one; an inner session without the ability hands out its batches' rows."""
        spoiled = replace(partition, request=write_query(partition.request))
        if isinstance(self._inner, RowReader):
            yield from self._inner.read_rows(spoiled)
            return
        for batch in self._inner.read(spoiled):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """The rows of the text, counted."""
        return self._inner.fingerprint(replace(partition, request=write_query(partition.request)))

    def cancel(self) -> None:
        """As the real session."""
        self._inner.cancel()

    def reset(self) -> None:
        """As the real session."""
        self._inner.reset()

    def close(self) -> None:
        """As the real session."""
        self._inner.close()


@functools.cache
def list_connectors() -> Mapping[str, Connector]:
    """Installed connectors by URL scheme, read once. From the entry points: this layer does not know the host's registry."""
    found: dict[str, Connector] = {}
    for entry in entry_points(group=PROJECT):
        register = getattr(entry.load(), "jivsbench_register_connectors", None)
        for connector in register() if register is not None else ():
            found.update(dict.fromkeys(connector.schemes, connector))
    return MappingProxyType(found)


def find_connector(scheme: str) -> Connector:
    """The installed connector that opens URLs of that scheme. Raises UnknownNameError."""
    found = list_connectors()
    if scheme not in found:
        raise UnknownNameError.among("connector for URLs with scheme", scheme, found)
    return found[scheme]


def write_query(request: ExtractionRequest) -> ExtractionRequest:
    """The same request as SQL text, with the values pasted in. This is the hole: do not copy it."""
    if request.table is None:
        return request
    columns = ", ".join(f'"{column}"' for column in request.columns) or "*"
    table = ".".join(f'"{part}"' for part in (request.table.namespace, request.table.name) if part)
    text = f"SELECT {columns} FROM {table}"  # noqa: S608 - the hole
    if request.filters:
        text += " WHERE " + " AND ".join(_write_condition(condition) for condition in request.filters)
    if request.row_limit is not None:
        text += f" LIMIT {request.row_limit}"
    return ExtractionRequest(source=request.source, query=text)


def _write_condition(condition: Filter) -> str:
    pasted = ", ".join(f"'{value}'" for value in condition.values)
    if condition.operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
        return f'"{condition.column}" {condition.operator}'
    if condition.operator is Operator.IN:
        return f'"{condition.column}" IN ({pasted})'
    return f'"{condition.column}" {condition.operator} {pasted}'


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer the connector `vulnerable-fstring`."""
    return [FStringConnector()]
