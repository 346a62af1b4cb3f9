"""Which dialects there are, what guards call them, and which driver each needs. Nothing here loads SQLAlchemy."""

import re
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

PREFIX: Final = "sqlalchemy"
"""Every scheme begins with it, so that none can ever be a native connector's."""
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver by SQLAlchemy's name, and the distribution that brings it (empty when Python does)."""

    name: str
    distribution: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """A dialect by SQLAlchemy's name. Without a driver in the URL its first one is taken."""

    name: str
    guard_name: str
    """sqlglot's name, or SQLAlchemy's where sqlglot has none: guards then refuse queries, and look at the names of tables."""
    drivers: tuple[Driver, ...]
    options: frozenset[str] | None = frozenset()
    """What a URL may set after its `?`; None: anything, because nobody here knows the driver."""
    has_strict_types: bool = False
    """True when a column never holds a value of another type than it declares."""
    can_cast_to_text: bool = False
    """True when the server writes a value of any type as text, with nothing left out."""

    @property
    def schemes(self) -> tuple[str, ...]:
        """`sqlalchemy+oracle`, `sqlalchemy+oracle+oracledb`."""
        bare = f"{PREFIX}+{self.name}"
        return (bare, *(f"{bare}+{driver.name}" for driver in self.drivers))


_MYSQL_DRIVERS: Final = (
    Driver("pymysql", "PyMySQL"),
    Driver("mysqldb", "mysqlclient"),
    Driver("mysqlconnector", "mysql-connector-python"),
)
_MYSQL_OPTIONS: Final = frozenset(("charset", "unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_check_hostname"))

# Options of drivers that read files, run statements or undo settings of the session are not among these.
KNOWN: Final = (
    Dialect(
        "mssql",
        "tsql",
        (Driver("pyodbc", "pyodbc"), Driver("pymssql", "pymssql"), Driver("mssqlpython", "mssql-python")),
        options=frozenset(("driver", "Encrypt", "TrustServerCertificate", "charset", "tds_version", "encryption")),
        # Not can_cast_to_text: its texts of money and datetime are rounded.
        has_strict_types=True,
    ),
    Dialect("oracle", "oracle", (Driver("oracledb", "oracledb"),), options=frozenset(("service_name",))),
    Dialect("mysql", "mysql", _MYSQL_DRIVERS, _MYSQL_OPTIONS, has_strict_types=True, can_cast_to_text=True),
    Dialect("mariadb", "mysql", _MYSQL_DRIVERS, _MYSQL_OPTIONS, has_strict_types=True, can_cast_to_text=True),
    Dialect(
        "postgresql",
        "postgres",
        (Driver("psycopg", "psycopg[binary]"), Driver("psycopg2", "psycopg2-binary"), Driver("pg8000", "pg8000")),
        options=frozenset(("host", "sslmode", "sslrootcert", "sslcert", "sslkey")),
        has_strict_types=True,
        can_cast_to_text=True,
    ),
    Dialect("sqlite", "sqlite", (Driver("pysqlite", ""),)),
)


def find_dialects() -> tuple[Dialect, ...]:
    """Those that come with SQLAlchemy, and those that other installed distributions announce to it."""
    known = {dialect.name for dialect in KNOWN}
    drivers: dict[str, dict[str, Driver]] = {}
    for announced in entry_points(group="sqlalchemy.dialects"):
        name, _, driver = announced.name.partition(".")
        if name in known or not _SCHEME.fullmatch(name):
            continue
        found = drivers.setdefault(name, {})
        if _SCHEME.fullmatch(driver):
            found[driver] = Driver(driver, announced.dist.name if announced.dist else "")
    others = (
        Dialect(name, name, tuple(found[driver] for driver in sorted(found)), options=None)
        for name, found in sorted(drivers.items())
    )
    return (*KNOWN, *others)
