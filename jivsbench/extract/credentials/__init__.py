"""Secrets that have to be kept: the key of a service, and what it seals with it. The only place that knows the cipher."""

from jivsbench.extract.credentials.keys import AUDIT_USE, KEY_BYTES, CredentialKey, format_new_key, parse_credential_key
from jivsbench.extract.credentials.vault import CredentialOwner, CredentialVault

__all__ = [
    "AUDIT_USE",
    "KEY_BYTES",
    "CredentialKey",
    "CredentialOwner",
    "CredentialVault",
    "format_new_key",
    "parse_credential_key",
]
