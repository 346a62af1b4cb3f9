"""Names with quotes around them and none doubled inside, as `f'"{name}"'` makes them: the hole that SEC-002 must find."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_STATEMENTS = "jivsbench_postgres.statements"


def build_quote_table(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`quote_table` that still checks names, and doubles nothing."""

    def quote_table(table: Any) -> Any:
        original(table)
        return _quote(*(part for part in (table.namespace, table.name) if part))

    return quote_table


def build_quote_column(original: Callable[[str], Any]) -> Callable[[str], Any]:
    """`quote_column` likewise."""

    def quote_column(name: str) -> Any:
        original(name)
        return _quote(name)

    return quote_column


def _quote(*parts: str) -> Any:
    return import_module("psycopg.sql").SQL(".".join(f'"{part}"' for part in parts))


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; put the hole in place."""
    replace_part(f"{_STATEMENTS}:quote_table", build_quote_table)
    replace_part(f"{_STATEMENTS}:quote_column", build_quote_column)
    return ()
