"""Security checks for jivsbench: active attacks on a running extraction service."""

from collections.abc import Iterable

from jivsbench.api import SecurityCheck, hookimpl


@hookimpl
def jivsbench_register_checks() -> Iterable[SecurityCheck]:
    """Offer the checks, in the order of their ids."""
    from jivsbench_security.identifiers import IdentifierCheck
    from jivsbench_security.raw_query import RawQueryCheck
    from jivsbench_security.read_only import ReadOnlyCheck
    from jivsbench_security.session_state import SessionStateCheck
    from jivsbench_security.smuggling import SmugglingCheck
    from jivsbench_security.stacked_statements import StackedStatementsCheck
    from jivsbench_security.value_injection import ValueInjectionCheck

    return [
        ValueInjectionCheck(),
        IdentifierCheck(),
        RawQueryCheck(),
        StackedStatementsCheck(),
        SmugglingCheck(),
        ReadOnlyCheck(),
        SessionStateCheck(),
    ]
