"""An audit trail that keeps silent about what was refused: the hole that SEC-036 must find."""

from collections.abc import Callable, Iterable

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer nothing, and let the trail of this process forget refusals."""
    replace_part("jivsbench.service.audit:AuditTrail.record", _forget_refusals)
    return []


def _forget_refusals(record: Callable[..., None]) -> Callable[..., None]:
    def record_the_rest(self: object, event: str, **facts: object) -> None:
        if event != "refused":
            record(self, event, **facts)

    return record_the_rest
