"""Opens a session, within a time that holds for each step of the log-in, and with the settings that every read relies on."""

import math

import pymysql.err

from jivsbench.api import ReadLimits, open_socket
from jivsbench_mysql.address import Address, TlsMode, build_tls_context
from jivsbench_mysql.driver import Driver
from jivsbench_mysql.failures import PasswordInClearError, build_connect_error, build_server_error
from jivsbench_mysql.wire import Wire

# Names in double quotes and backslashes that are plain: then the server cuts a text into words as the standard does, and as
# the guards do. IGNORE_SPACE: `count (x)` means the server's own function, never one that somebody stored under that name.
SQL_MODE = "ANSI_QUOTES,IGNORE_SPACE,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION"
_LONGEST_GROUP_BYTES = 16 * 1024 * 1024
_LOCK_WAIT_S = 2
_LEAST_WRITE_TIMEOUT_S = 60
_CANCEL_WITHIN_S = 1.0


def open_wire(address: Address, limits: ReadLimits) -> Wire:
    """Log in for reading. Raises SourceUnreachableError, AccessDeniedError or MissingObjectError."""
    driver = open_driver(address, limits.connect_timeout_s)
    settings = _build_settings(limits, is_mariadb=driver.is_mariadb)
    try:
        for statement in settings:
            driver.query(statement)
    except (pymysql.err.Error, OSError) as error:
        driver.break_off()
        raise build_server_error(address.place, "take the session's settings", error, was_cancelled=False) from None
    return Wire(driver, address.place, lambda: open_driver(address, _CANCEL_WITHIN_S), settings)


def open_driver(address: Address, timeout_s: float) -> Driver:
    """Log in with nothing set yet."""
    context = build_tls_context(address.tls)
    driver = Driver(
        host=address.host,
        port=address.port,
        unix_socket=address.socket,
        user=address.user or None,
        # As bytes: the driver would write a text in Latin-1.
        password=address.password.reveal().encode(),
        database=address.database or None,
        charset="utf8mb4",
        autocommit=None,
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        write_timeout=timeout_s,
        program_name="jivsbench",
        ssl=context if address.tls.mode is not TlsMode.PREFERRED else None,
        ssl_disabled=context is None,
        defer_connect=True,
    )
    if context is not None:
        driver.ctx = context
    try:
        # Of a socket file, or a name that nobody has looked up, the driver takes care itself.
        is_known = address.addresses and not address.socket
        driver.connect(open_socket(address.addresses, address.port, timeout_s) if is_known else None)
    except (pymysql.err.Error, OSError, PasswordInClearError) as error:
        raise build_connect_error(address.place, address.user, error) from None
    return driver


def _build_settings(limits: ReadLimits, *, is_mariadb: bool) -> tuple[str, ...]:
    limit = (
        f"max_statement_time = {limits.query_timeout_s:.6f}"
        if is_mariadb
        else f"max_execution_time = {math.ceil(limits.query_timeout_s * 1000)}"
    )
    settings = (
        "NAMES utf8mb4",
        "autocommit = 1",
        "time_zone = '+00:00'",
        f"sql_mode = '{SQL_MODE}'",
        limit,
        f"lock_wait_timeout = {_LOCK_WAIT_S}",
        # GROUP_CONCAT cuts its text in silence at 1 KiB or 1 MiB otherwise.
        f"group_concat_max_len = {_LONGEST_GROUP_BYTES}",
        # How long the server waits for a slow consumer.
        f"net_write_timeout = {max(_LEAST_WRITE_TIMEOUT_S, math.ceil(limits.query_timeout_s))}",
    )
    return ("SET " + ", ".join(settings), "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
