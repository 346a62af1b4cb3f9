"""A PostgreSQL session whose transactions may write, and are committed: the hole that SEC-006 must find."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_CONNECTION = "jivsbench_postgres.connection"


def build_begin(original: Any) -> Any:
    """The transaction's first statement without READ ONLY. The session may say what it likes: this one decides."""
    return replace(original, sql=original.sql.replace(b"READ ONLY", b"READ WRITE"))


def build_end(original: Any) -> Any:
    """What a session is given back with."""
    return replace(original, sql=b"COMMIT")


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; put the hole in place."""
    replace_part(f"{_CONNECTION}:_BEGIN", build_begin)
    replace_part(f"{_CONNECTION}:_ROLLBACK", build_end)
    return ()
