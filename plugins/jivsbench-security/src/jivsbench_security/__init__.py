"""Security checks for jivsbench: active attacks on a running extraction service."""

from collections.abc import Iterable

from jivsbench.api import SecurityCheck, hookimpl


@hookimpl
def jivsbench_register_checks() -> Iterable[SecurityCheck]:
    """Offer every check, by id."""
    from jivsbench_security.failing_closed import FailClosedCheck
    from jivsbench_security.lifecycle import LifecycleCheck
    from jivsbench_security.pool_exhaustion import PoolExhaustionCheck
    from jivsbench_security.raw_query import RawQueryCheck
    from jivsbench_security.resource_bombs import ResourceBombCheck
    from jivsbench_security.time_limits import TimeLimitCheck
    from jivsbench_security.value_injection import ValueInjectionCheck

    return [
        ValueInjectionCheck(),
        RawQueryCheck(),
        TimeLimitCheck(),
        ResourceBombCheck(),
        PoolExhaustionCheck(),
        FailClosedCheck(),
        LifecycleCheck(),
    ]
