"""A PostgreSQL session that runs a text of several statements without parameters, to find out its columns. For SEC-004."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def build_describe(original: Callable[..., Any]) -> Callable[..., Any]:
    """`Wire.describe` after `execute(sql)`: without parameters the driver sends the text by the protocol that runs all of it."""

    def describe(wire: Any, sql: bytes, *, doing: str, patience_s: float) -> Any:
        # A text of one statement is left alone: what other checks have planted is not to run twice.
        if b";" in sql:
            with contextlib.suppress(Exception), wire.driver.cursor() as cursor:
                cursor.execute(sql)
        return original(wire, sql, doing=doing, patience_s=patience_s)

    return describe


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; put the hole in place."""
    replace_part("jivsbench_postgres.wire:Wire.describe", build_describe)
    return ()
