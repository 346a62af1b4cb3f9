"""MySQL and MariaDB connector for jivsbench."""

from collections.abc import Iterable

from jivsbench.api import Connector, hookimpl


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer the connector `mysql`."""
    from jivsbench_mysql.connector import MysqlConnector

    return (MysqlConnector(),)
