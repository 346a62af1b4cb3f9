"""SQLAlchemy's engine for one session: no pool of its own, and time limits in each driver's own words."""

import math
from typing import Any

import sqlalchemy
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from jivsbench.api import ReadLimits, secure_options
from jivsbench.errors import ConfigError, EnvironmentProblem
from jivsbench_sqlalchemy.address import Address, build_file_url

MYSQL_FAMILY = ("mysql", "mariadb")
_OVER_LIBPQ = ("psycopg", "psycopg2")
_MYSQL_SESSION = {
    "init_command": "SET sql_mode = 'ANSI_QUOTES,IGNORE_SPACE,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION'"
}
"""A guard reads MySQL's queries by these modes: what stands in double quotes is a name, and a backslash is a character. Sent
before SQLAlchemy asks for the modes, since it quotes by them."""
GRACE_S = 5.0
"""How much longer than a query's limit the driver waits for a silent server: then it is not slow, but gone."""


def build_engine(address: Address, limits: ReadLimits) -> sqlalchemy.Engine:
    """An engine that opens each connection anew: the host owns the pools."""
    dialect, driver = address.dialect, address.driver
    url = build_file_url(address) if dialect.name == "sqlite" else address.url
    if dialect.name in MYSQL_FAMILY and "charset" not in url.query:
        url = url.update_query_dict({"charset": "utf8mb4"})
    if driver is not None and driver.name in _OVER_LIBPQ:
        url = url.update_query_dict(secure_options(url.host or "", url.query))
    try:
        return sqlalchemy.create_engine(
            url,
            poolclass=sqlalchemy.NullPool,
            connect_args=_build_arguments(driver.name if driver else "", limits),
            hide_parameters=True,
        )
    except (ImportError, NoSuchModuleError) as problem:
        wanted = driver.distribution if driver and driver.distribution else dialect.name
        raise EnvironmentProblem(
            f"{address.place}: the driver {driver.name if driver else dialect.name!r} of SQLAlchemy's dialect {dialect.name!r} "
            f"cannot be loaded ({type(problem).__name__}): pip install '{wanted}', and what its manual asks for beside it"
        ) from None
    except (ArgumentError, ValueError, TypeError):
        raise ConfigError(f"{address.place}: SQLAlchemy does not understand the URL's options: check them") from None


def _build_arguments(driver: str, limits: ReadLimits) -> dict[str, Any]:
    """A session's settings, and its time limits in the driver's own words; an unknown driver has only the host's deadline."""
    connect_s = max(1, math.ceil(limits.connect_timeout_s))
    silence_s = math.ceil(limits.query_timeout_s + GRACE_S)
    known: dict[str, dict[str, Any]] = {
        "pysqlite": {"timeout": connect_s, "check_same_thread": False},
        "psycopg": {"connect_timeout": connect_s},
        "psycopg2": {"connect_timeout": connect_s},
        "pg8000": {"timeout": silence_s},
        "pymysql": {"connect_timeout": connect_s, "read_timeout": silence_s, "local_infile": False, **_MYSQL_SESSION},
        "mysqldb": {"connect_timeout": connect_s, "read_timeout": silence_s, **_MYSQL_SESSION},
        "mysqlconnector": {"connection_timeout": connect_s, **_MYSQL_SESSION},
        "oracledb": {"tcp_connect_timeout": float(connect_s)},
        "pyodbc": {"timeout": connect_s},
        "pymssql": {"login_timeout": connect_s, "timeout": math.ceil(limits.query_timeout_s)},
    }
    return known.get(driver, {})


def limit_statements(driver: str, driver_connection: Any, limits: ReadLimits) -> None:
    """Time limits that a driver takes only on an open connection."""
    if driver == "pyodbc":
        driver_connection.timeout = math.ceil(limits.query_timeout_s)
    if driver == "oracledb":
        driver_connection.call_timeout = math.ceil(limits.query_timeout_s * 1000)
