"""Security checks for jivsbench: active attacks on a running extraction service."""

from collections.abc import Iterable

from jivsbench.api import SecurityCheck, hookimpl


@hookimpl
def jivsbench_register_checks() -> Iterable[SecurityCheck]:
    """Offer every check of this plugin, by id."""
    from jivsbench_security.cache.cache_confusion import CacheConfusionCheck
    from jivsbench_security.cache.cache_gadgets import CacheGadgetCheck
    from jivsbench_security.cache.cache_posture import CachePostureCheck
    from jivsbench_security.cache.cached_personal_data import CachedPersonalDataCheck
    from jivsbench_security.credentials.credential_store import CredentialStoreCheck
    from jivsbench_security.credentials.secret_sources import SecretSourceCheck
    from jivsbench_security.credentials.weak_start import WeakSecretCheck
    from jivsbench_security.destinations.destination_control import DestinationControlCheck
    from jivsbench_security.files.file_bombs import FileBombsCheck
    from jivsbench_security.files.file_modes import FileModesCheck
    from jivsbench_security.files.formula_cells import FormulaCellsCheck
    from jivsbench_security.files.link_escape import LinkEscapeCheck
    from jivsbench_security.files.path_traversal import PathTraversalCheck
    from jivsbench_security.leaks.error_hygiene import ErrorHygieneCheck
    from jivsbench_security.leaks.secret_leaks import SecretLeakCheck
    from jivsbench_security.limits.failing_closed import FailClosedCheck
    from jivsbench_security.limits.lifecycle import LifecycleCheck
    from jivsbench_security.limits.pool_exhaustion import PoolExhaustionCheck
    from jivsbench_security.limits.resource_bombs import ResourceBombCheck
    from jivsbench_security.limits.session_state import SessionStateCheck
    from jivsbench_security.limits.time_limits import TimeLimitCheck
    from jivsbench_security.pages.report_pages import ReportPagesCheck
    from jivsbench_security.source_code.sql_source import SqlSourceCheck
    from jivsbench_security.sql.identifiers import IdentifierCheck
    from jivsbench_security.sql.raw_query import RawQueryCheck
    from jivsbench_security.sql.read_only import ReadOnlyCheck
    from jivsbench_security.sql.smuggling import SmugglingCheck
    from jivsbench_security.sql.stacked_statements import StackedStatementsCheck
    from jivsbench_security.sql.value_injection import ValueInjectionCheck
    from jivsbench_security.supply_chain.installed_files import InstalledFilesCheck
    from jivsbench_security.supply_chain.known_holes import KnownHolesCheck
    from jivsbench_security.supply_chain.plugin_trust import PluginTrustCheck
    from jivsbench_security.tls.cache_tls import CacheTlsCheck
    from jivsbench_security.tls.database_tls import DatabaseTlsCheck
    from jivsbench_security.trails.log_lines import LogLinesCheck
    from jivsbench_security.trails.trail_attacks import AuditTrailCheck

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
