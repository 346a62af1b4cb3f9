"""PostgreSQL connector for jivsbench."""

from collections.abc import Iterable

from jivsbench.api import Connector, hookimpl


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer the connector `postgres`."""
    from jivsbench_postgres.connector import PostgresConnector

    return (PostgresConnector(),)
