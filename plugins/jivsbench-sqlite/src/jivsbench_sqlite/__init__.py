"""SQLite connector for jivsbench: the reference that needs no server."""

from collections.abc import Iterable

from jivsbench.api import Connector, hookimpl


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer the connector `sqlite`."""
    from jivsbench_sqlite.connector import SqliteConnector

    return (SqliteConnector(),)
