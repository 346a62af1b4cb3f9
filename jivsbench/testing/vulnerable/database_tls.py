"""A PostgreSQL connector that takes TLS when the server likes it (`sslmode=prefer`): the hole that SEC-016 must find.

Only URLs that ask for TLS are spoilt: those of other checks lead to where they led before.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def _prefer(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def parse_without_tls(url: Any) -> Any:
        address = parse(url)
        return replace(address, options=(("sslmode", "prefer"),)) if address.options else address

    return parse_without_tls


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer none, and spoil the installed one."""
    replace_part("jivsbench_postgres.address:parse_address", _prefer)
    return []
