"""A service without time limits: no statement and no job is ever too long."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from jivsbench.api import Connector, ReadLimits, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_A_DAY_S = 86_400.0


def _lift_statement_limit(original: Callable[..., ReadLimits]) -> Callable[..., ReadLimits]:
    def build(*args: Any, **limits: Any) -> ReadLimits:
        return replace(original(*args, **limits), query_timeout_s=_A_DAY_S)

    return build


def _lift_deadline(original: Callable[..., Any]) -> Callable[..., Any]:
    def start(jobs: object, job_id: str, source: str, timeout_s: float) -> object:
        return original(jobs, job_id, source, max(timeout_s, _A_DAY_S))

    return start


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; the limits are gone once this was asked."""
    replace_part("jivsbench.extract.pool_set:ReadLimits", _lift_statement_limit)
    replace_part("jivsbench.extract.running:RunningJobs.start", _lift_deadline)
    return []
