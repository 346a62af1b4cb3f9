"""Any SQLAlchemy dialect as a source for jivsbench: slower than a native connector, and says so."""

from collections.abc import Iterable

from jivsbench.api import Connector, hookimpl


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer one connector for each dialect: a guard must know which SQL it reads. Loads no SQLAlchemy yet."""
    from jivsbench_sqlalchemy.connector import SqlAlchemyConnector
    from jivsbench_sqlalchemy.dialects import find_dialects

    return tuple(SqlAlchemyConnector(dialect) for dialect in find_dialects())
