"""Security checks for jivsbench: active attacks on a running extraction service."""

from collections.abc import Iterable

from jivsbench.api import SecurityCheck, hookimpl


@hookimpl
def jivsbench_register_checks() -> Iterable[SecurityCheck]:
    """Offer every check of this plugin."""
    from jivsbench_security.error_hygiene import ErrorHygieneCheck
    from jivsbench_security.log_lines import LogLinesCheck
    from jivsbench_security.raw_query import RawQueryCheck
    from jivsbench_security.report_pages import ReportPagesCheck
    from jivsbench_security.secret_leaks import SecretLeakCheck
    from jivsbench_security.trail_attacks import AuditTrailCheck
    from jivsbench_security.value_injection import ValueInjectionCheck

    return [
        ValueInjectionCheck(),
        RawQueryCheck(),
        SecretLeakCheck(),
        ReportPagesCheck(),
        LogLinesCheck(),
        ErrorHygieneCheck(),
        AuditTrailCheck(),
    ]
