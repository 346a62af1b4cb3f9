"""A service whose time limits come far too late: statements and jobs may take several times as long as it was told.

None at all would leave an endless statement at work on the source's server, which the checks that come after share.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from jivsbench.api import Connector, ReadLimits, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_TIMES = 8


def _lift_statement_limit(original: Callable[..., ReadLimits]) -> Callable[..., ReadLimits]:
    def build(*args: Any, **limits: Any) -> ReadLimits:
        told = original(*args, **limits)
        return replace(told, query_timeout_s=_TIMES * told.query_timeout_s)

    return build


def _lift_deadline(original: Callable[..., Any]) -> Callable[..., Any]:
    def start(jobs: object, job_id: str, source: str, timeout_s: float) -> object:
        return original(jobs, job_id, source, _TIMES * timeout_s)

    return start


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; the limits are lifted once this was asked."""
    replace_part("jivsbench.extract.pool_set:ReadLimits", _lift_statement_limit)
    replace_part("jivsbench.extract.running:RunningJobs.start", _lift_deadline)
    return []
