"""URLs of data sources that are passed through unread: the hole that SEC-034 must find."""

from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def look_away(_check: Callable[..., Any]) -> Callable[..., tuple[()]]:
    """Allows everything."""

    def check_nothing(*_arguments: Any) -> tuple[()]:
        return ()

    return check_nothing


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """No guard: the hole is made here."""
    replace_part("jivsbench.extract.destinations:Destinations.check", look_away)
    return []
