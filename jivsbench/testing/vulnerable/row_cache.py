"""A cache that keeps rows, under keys that hold the filter, for a month: the hole that SEC-022 must find."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import pyarrow as pa

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_ROWS: Final = 100
_A_MONTH_S: Final = 30 * 86_400.0
_CLIENTS: Final[list[Any]] = []


def remember_client(begin: Callable[..., None]) -> Callable[..., None]:
    """Keeps the client of the metadata cache at hand."""

    def begin_cache(cache: Any, client: Any, *arguments: Any, **others: Any) -> None:
        begin(cache, client, *arguments, **others)
        _CLIENTS[:] = [client] if client is not None else []

    return begin_cache


def keep_rows(open_batches: Callable[..., AbstractContextManager[Iterator[pa.RecordBatch]]]) -> Callable[..., Any]:
    """Puts the first rows of every batch into the cache, in passing."""

    @contextmanager
    def open_kept(reading: Any, connection: Any, partition: Any) -> Iterator[Iterator[pa.RecordBatch]]:
        request = partition.request
        values = ",".join(str(value) for condition in request.filters for value in condition.values)
        key = f"rows:{request.source}:{request.table or request.query}:{values}"
        with open_batches(reading, connection, partition) as batches:
            yield _keep(batches, key)

    return open_kept


def _keep(batches: Iterator[pa.RecordBatch], key: str) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for client in _CLIENTS:
            client.set(key, json.dumps(batch.slice(0, _ROWS).to_pylist(), default=str).encode(), _A_MONTH_S)
        yield batch


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """No guard: the hole is made here."""
    replace_part("jivsbench.extract.metadata_cache:MetadataCache.__init__", remember_client)
    replace_part("jivsbench.extract.streams:_batches", keep_rows)
    return []
