"""A guard that looks for a list of forbidden words, as many home-made ones do: what is not on it passes. For SEC-005."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from jivsbench.api import Connector, hookimpl
from jivsbench.errors import GuardRefusedError
from jivsbench.testing.vulnerable.replacing import replace_part

_FORBIDDEN: Final = re.compile(r"\b(insert|update|delete|drop|alter|create|grant|truncate|copy|dblink)\b|;", re.IGNORECASE)


def build_review(_original: Callable[..., Any]) -> Callable[..., None]:
    """The review of a query by a list of words."""

    def review(query: str, _dialect: str, _tables: tuple[str, ...] | None) -> None:
        if _FORBIDDEN.search(query):
            raise GuardRefusedError("the query holds a forbidden word: leave it out")

    return review


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; put the hole in place."""
    replace_part("jivsbench_sqlguard.query:review_query", build_review)
    return ()
