"""A guard that looks at the first word of a query, as many home-made ones do, and lets everything behind it through."""

from collections.abc import Iterable

from jivsbench.api import Guard, GuardRequest, hookimpl
from jivsbench.errors import GuardRefusedError


class PrefixGuard:
    """Accepts whatever starts with SELECT or WITH."""

    @property
    def name(self) -> str:
        """Name in a target variant."""
        return "vulnerable-prefix"

    def review(self, request: GuardRequest) -> None:
        """Refuse only what starts with another word."""
        query = request.request.query
        if query is not None and not query.lstrip().lower().startswith(("select", "with")):
            raise GuardRefusedError("the query does not start with SELECT or WITH: send one SELECT")


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer the guard `vulnerable-prefix`."""
    return [PrefixGuard()]
