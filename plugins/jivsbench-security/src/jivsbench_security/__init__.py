"""Security checks for jivsbench: active attacks on a running extraction service."""

from collections.abc import Iterable

from jivsbench.api import SecurityCheck, hookimpl


@hookimpl
def jivsbench_register_checks() -> Iterable[SecurityCheck]:
    """Offer the checks, by their ids."""
    from jivsbench_security.cache_tls import CacheTlsCheck
    from jivsbench_security.credential_store import CredentialStoreCheck
    from jivsbench_security.database_tls import DatabaseTlsCheck
    from jivsbench_security.raw_query import RawQueryCheck
    from jivsbench_security.secret_sources import SecretSourceCheck
    from jivsbench_security.value_injection import ValueInjectionCheck
    from jivsbench_security.weak_start import WeakSecretCheck

    return [
        ValueInjectionCheck(),
        RawQueryCheck(),
        DatabaseTlsCheck(),
        CacheTlsCheck(),
        CredentialStoreCheck(),
        WeakSecretCheck(),
        SecretSourceCheck(),
    ]
