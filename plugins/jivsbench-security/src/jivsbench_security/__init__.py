"""Security checks for jivsbench: active attacks on a running extraction service."""

from collections.abc import Iterable

from jivsbench.api import SecurityCheck, hookimpl


@hookimpl
def jivsbench_register_checks() -> Iterable[SecurityCheck]:
    """Offer every check of this plugin, by id."""
    from jivsbench_security.cache_confusion import CacheConfusionCheck
    from jivsbench_security.cache_gadgets import CacheGadgetCheck
    from jivsbench_security.cache_posture import CachePostureCheck
    from jivsbench_security.cache_tls import CacheTlsCheck
    from jivsbench_security.cached_personal_data import CachedPersonalDataCheck
    from jivsbench_security.credential_store import CredentialStoreCheck
    from jivsbench_security.database_tls import DatabaseTlsCheck
    from jivsbench_security.destination_control import DestinationControlCheck
    from jivsbench_security.error_hygiene import ErrorHygieneCheck
    from jivsbench_security.failing_closed import FailClosedCheck
    from jivsbench_security.file_bombs import FileBombsCheck
    from jivsbench_security.file_modes import FileModesCheck
    from jivsbench_security.formula_cells import FormulaCellsCheck
    from jivsbench_security.identifiers import IdentifierCheck
    from jivsbench_security.installed_files import InstalledFilesCheck
    from jivsbench_security.known_holes import KnownHolesCheck
    from jivsbench_security.lifecycle import LifecycleCheck
    from jivsbench_security.link_escape import LinkEscapeCheck
    from jivsbench_security.log_lines import LogLinesCheck
    from jivsbench_security.path_traversal import PathTraversalCheck
    from jivsbench_security.plugin_trust import PluginTrustCheck
    from jivsbench_security.pool_exhaustion import PoolExhaustionCheck
    from jivsbench_security.raw_query import RawQueryCheck
    from jivsbench_security.read_only import ReadOnlyCheck
    from jivsbench_security.report_pages import ReportPagesCheck
    from jivsbench_security.resource_bombs import ResourceBombCheck
    from jivsbench_security.secret_leaks import SecretLeakCheck
    from jivsbench_security.secret_sources import SecretSourceCheck
    from jivsbench_security.session_state import SessionStateCheck
    from jivsbench_security.smuggling import SmugglingCheck
    from jivsbench_security.sql_source import SqlSourceCheck
    from jivsbench_security.stacked_statements import StackedStatementsCheck
    from jivsbench_security.time_limits import TimeLimitCheck
    from jivsbench_security.trail_attacks import AuditTrailCheck
    from jivsbench_security.value_injection import ValueInjectionCheck
    from jivsbench_security.weak_start import WeakSecretCheck

    return [
        ValueInjectionCheck(),
        IdentifierCheck(),
        RawQueryCheck(),
        StackedStatementsCheck(),
        SmugglingCheck(),
        ReadOnlyCheck(),
        TimeLimitCheck(),
        SessionStateCheck(),
        ResourceBombCheck(),
        PoolExhaustionCheck(),
        PathTraversalCheck(),
        LinkEscapeCheck(),
        FileModesCheck(),
        FileBombsCheck(),
        FormulaCellsCheck(),
        DatabaseTlsCheck(),
        CacheTlsCheck(),
        CredentialStoreCheck(),
        SecretLeakCheck(),
        WeakSecretCheck(),
        SecretSourceCheck(),
        CachedPersonalDataCheck(),
        CacheGadgetCheck(),
        CacheConfusionCheck(),
        CachePostureCheck(),
        ReportPagesCheck(),
        LogLinesCheck(),
        ErrorHygieneCheck(),
        FailClosedCheck(),
        PluginTrustCheck(),
        KnownHolesCheck(),
        InstalledFilesCheck(),
        SqlSourceCheck(),
        DestinationControlCheck(),
        LifecycleCheck(),
        AuditTrailCheck(),
    ]
