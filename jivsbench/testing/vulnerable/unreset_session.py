"""A PostgreSQL session that is given back with a commit, as a stock pool does: what the last job set stays set. For SEC-008."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_CONNECTION = "jivsbench_postgres.connection"


def build_end(original: Any) -> Any:
    """A commit in the place of ROLLBACK, and of DISCARD ALL."""
    return replace(original, sql=b"COMMIT")


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; put the hole in place."""
    replace_part(f"{_CONNECTION}:_ROLLBACK", build_end)
    replace_part(f"{_CONNECTION}:_DISCARD", build_end)
    return ()
