"""SQL guard for jivsbench: an allow-list over the syntax tree."""

from collections.abc import Iterable

from jivsbench.api import Guard, hookimpl


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer the guard `sqlguard`."""
    from jivsbench_sqlguard.guard import SqlGuard

    return [SqlGuard()]
