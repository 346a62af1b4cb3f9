"""A pool in which whoever waits for a connection waits for as long as it takes."""

from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_VERY_LONG_S = 3_600.0


def _wait_for_ever(original: Callable[..., Any]) -> Callable[..., Any]:
    def wait(lender: object, waiter: object, started_s: float, timeout_s: float) -> object:
        return original(lender, waiter, started_s, max(timeout_s, _VERY_LONG_S))

    return wait


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; waits have no end once this was asked."""
    replace_part("jivsbench.extract.lending:Lender._wait", _wait_for_ever)
    return []
