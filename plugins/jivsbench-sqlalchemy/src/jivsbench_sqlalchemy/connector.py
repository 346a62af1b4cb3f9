"""The connector itself: one for each dialect, each opening sessions of its own."""

from typing import TYPE_CHECKING

from jivsbench.api import ReadLimits
from jivsbench.model.source import DataSource
from jivsbench_sqlalchemy.dialects import PREFIX, Dialect

if TYPE_CHECKING:
    from jivsbench_sqlalchemy.connection import SqlAlchemyConnection


class SqlAlchemyConnector:
    """Opens sessions with servers of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    @property
    def name(self) -> str:
        """`sqlalchemy-oracle`."""
        return f"{PREFIX}-{self._dialect.name}"

    @property
    def schemes(self) -> tuple[str, ...]:
        """`sqlalchemy+oracle`, `sqlalchemy+oracle+oracledb`."""
        return self._dialect.schemes

    @property
    def dialect(self) -> str:
        """The name by sqlglot, or empty where guards cannot read its SQL."""
        return self._dialect.guard_name

    def connect(self, source: DataSource, limits: ReadLimits) -> "SqlAlchemyConnection":
        """Open a read-only session. Raises EnvironmentProblem, which names the distribution, when its driver is missing."""
        from jivsbench_sqlalchemy.address import parse_address
        from jivsbench_sqlalchemy.connection import SqlAlchemyConnection
        from jivsbench_sqlalchemy.engines import build_engine

        address = parse_address(source.url, self._dialect)
        connection = SqlAlchemyConnection(build_engine(address, limits), address, source, limits)
        try:
            connection.open()
        except BaseException:
            connection.close()
            raise
        return connection
