"""Names of tables and columns: what a request may call them, and which tables nobody reads. Pure; cheap enough for every job."""

import re
from typing import Final

from jivsbench.errors import GuardRefusedError
from jivsbench.model.table import ExtractionRequest
from jivsbench_sqlguard.wordlist import read_words

_RESERVED_PREFIXES: Final = ("pg_", "sqlite_", "pragma_", "information_schema")
"""PostgreSQL and SQLite keep these for themselves; views of the server's inside start with them."""
_SYSTEM_TABLES: Final = read_words(
    "mysql performance_schema sys dbstat bytecode tables_used json_each json_tree fsdir zipfile completion generate_series"
)
"""Schemas of MySQL, and SQLite's tables that are functions."""
_NUMBERS_OF_MARIADB: Final = re.compile(r"seq_\d+_to_\d+(_step_\d+)?", re.IGNORECASE)
"""`seq_1_to_1000000000` is a table of as many rows, which nobody made."""
_MAX_NAME_BYTES: Final = 63
"""PostgreSQL silently cuts names at 63 bytes, so a longer name can mean another table than it says."""
_MAX_NAME_BYTES_WITHOUT_SQL: Final = 1024
"""A source without SQL cuts nothing; a table can be the path of a file."""
_MAX_COLUMNS: Final = 1600
"""No PostgreSQL table has more columns."""


def is_reserved_name(name: str) -> bool:
    """True for names that belong to the server, whatever they name."""
    return name.lower().startswith(_RESERVED_PREFIXES)


def is_system_table(name: str) -> bool:
    """True for tables and schemas that belong to the server."""
    return is_reserved_name(name) or name.lower() in _SYSTEM_TABLES or _NUMBERS_OF_MARIADB.fullmatch(name) is not None


def review_names(request: ExtractionRequest, dialect: str, tables: tuple[str, ...] | None) -> None:
    """Check every name of a request. Values are data: the connector binds them, so they are not looked at.

    Raises GuardRefusedError.
    """
    table = request.table
    max_bytes = _MAX_NAME_BYTES if dialect else _MAX_NAME_BYTES_WITHOUT_SQL
    if table is not None:
        if not dialect and table.namespace == "":
            raise GuardRefusedError(
                "a name that begins with a dot leads out of the source's root, or nowhere: leave out ./ and ../"
            )
        _review_name(table.name, "table", max_bytes)
        if table.namespace is not None:
            _review_name(table.namespace, "schema", max_bytes)
        # Without SQL there is no catalogue: `sys.csv` is a file like any other, and no word but the source's own list keeps it.
        if dialect and (is_system_table(table.name) or (table.namespace is not None and is_system_table(table.namespace))):
            raise GuardRefusedError("the table belongs to the server's own catalogue: extract a table of the source instead")
        if tables is not None and not is_allowed(str(table), dialect, tables):
            raise GuardRefusedError("the table is not on the source's list: add it to `tables` of the data source")
    if len(request.columns) > _MAX_COLUMNS or len(request.filters) > _MAX_COLUMNS:
        raise GuardRefusedError(f"the request names more than {_MAX_COLUMNS} columns: name fewer, or none for all")
    for column in request.columns:
        _review_name(column, "column", max_bytes)
    for condition in request.filters:
        _review_name(condition.column, "column", max_bytes)


def is_allowed(name: str, dialect: str, tables: tuple[str, ...]) -> bool:
    """True when the catalogue name `name` is on the list. Only SQLite compares names without regard to case, that of ASCII."""
    if name in tables:
        return True
    if dialect != "sqlite":
        return False
    # bytes.lower() leaves all but ASCII alone, as SQLite does: to it, an E and an e with accents are two tables.
    return name.encode().lower() in {allowed.encode().lower() for allowed in tables}


def _review_name(name: str, kind: str, max_bytes: int) -> None:
    # isprintable() refuses NUL, line breaks, and lone surrogates, and is one pass in C.
    if not name or not name.isprintable():
        raise GuardRefusedError(f"a {kind} name is empty or holds a control character: write the name as the catalogue has it")
    if len(name) > max_bytes or (not name.isascii() and len(name.encode()) > max_bytes):
        raise GuardRefusedError(f"a {kind} name is longer than {max_bytes} bytes: write the name as the catalogue has it")
