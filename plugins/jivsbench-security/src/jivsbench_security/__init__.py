"""Security checks for jivsbench: active attacks on a running extraction service."""

from collections.abc import Iterable

from jivsbench.api import SecurityCheck, hookimpl


@hookimpl
def jivsbench_register_checks() -> Iterable[SecurityCheck]:
    """Offer SEC-001 (value injection), SEC-003 (raw-query guard), SEC-030 to SEC-033 (plugins, dependencies, files, source)."""
    from jivsbench_security.installed_files import InstalledFilesCheck
    from jivsbench_security.known_holes import KnownHolesCheck
    from jivsbench_security.plugin_trust import PluginTrustCheck
    from jivsbench_security.raw_query import RawQueryCheck
    from jivsbench_security.sql_source import SqlSourceCheck
    from jivsbench_security.value_injection import ValueInjectionCheck

    return [
        ValueInjectionCheck(),
        RawQueryCheck(),
        PluginTrustCheck(),
        KnownHolesCheck(),
        InstalledFilesCheck(),
        SqlSourceCheck(),
    ]
