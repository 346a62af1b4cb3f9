"""A connector that takes in everything before it hands out anything, as `fetchall` does: memory is as large as the answer."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_SERVERS_LIMIT_BYTES = 1 << 30


def _take_in_all(original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def read(connection: object, partition: object) -> Iterator[Any]:
        yield from list(original(connection, partition))

    return read


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; the installed connector for PostgreSQL is spoilt once this was asked."""
    replace_part("jivsbench_postgres.connection:PostgresConnection.read", _take_in_all)
    replace_part("jivsbench_postgres.socket_copy:LONGEST_ROW_BYTES", lambda _limit: _SERVERS_LIMIT_BYTES)
    return []
