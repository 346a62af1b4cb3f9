"""Guards that break while a service runs: whatever is in force judges as ever, until a request says that it shall break.

For what has to be seen of a service whose guard fails. Nothing is let through that a guard refuses.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jivsbench.api import Guard, GuardRequest, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_BREAKS_AT_ONCE = "_guard_breaks_at_once"
_BREAKS_LATER = "_guard_breaks_later"


class BreakingGuard:
    """A guard around another one."""

    def __init__(self, inner: Guard) -> None:
        self._inner = inner
        self._seen: set[str] = set()

    @property
    def name(self) -> str:
        """That of the guard within."""
        return self._inner.name

    def review(self, request: GuardRequest) -> None:
        """Break for a table whose name says so: at the first look, or at every one after it. Else ask the guard within."""
        table = str(request.request.table or "")
        if table.endswith(_BREAKS_AT_ONCE) or table in self._seen:
            raise RuntimeError("the guard is broken")
        if table.endswith(_BREAKS_LATER):
            self._seen.add(table)
        self._inner.review(request)


def _break_all(original: Callable[..., Sequence[Guard]]) -> Callable[..., tuple[Guard, ...]]:
    def require(*args: Any, **limits: Any) -> tuple[Guard, ...]:
        return tuple(BreakingGuard(guard) for guard in original(*args, **limits))

    return require


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer nothing; those that are offered by others can break once this was asked."""
    replace_part("jivsbench.service.assembly:require_guards", _break_all)
    return []
