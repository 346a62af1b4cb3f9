"""Seals the URL of a data source: AES-256-GCM, with the source itself as associated data.

GCM alone would accept a ciphertext that was moved from one source to another, and with it connect one source's user to
another's server. So what a URL belongs to is authenticated with it: the row, its name, its connector, and the key's id.
"""

import base64
import json
import secrets
from dataclasses import dataclass
from typing import Final

from jivsbench.errors import CredentialError
from jivsbench.extract.credentials.keys import CredentialKey
from jivsbench.model.secret import Secret

_FORMAT: Final = "jivs1"
_NONCE_BYTES: Final = 12
_PARTS: Final = 3
_USE: Final = "urls of data sources"


@dataclass(frozen=True, slots=True)
class CredentialOwner:
    """The data source that a URL belongs to: its row in the store, its name and its connector."""

    id: int
    name: str
    connector: str


class CredentialVault:
    """Seals and opens with one key, for many threads."""

    __slots__ = ("_cipher", "key_id")

    def __init__(self, key: CredentialKey) -> None:
        # Not before a URL is to be kept: loading the cipher takes some 30 ms.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key.derive(_USE))
        self.key_id = key.key_id

    def seal(self, url: Secret, owner: CredentialOwner) -> str:
        """What may be stored. The same URL never gives the same text twice."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, url.reveal().encode(), self._associate(owner))
        return f"{_FORMAT}:{self.key_id}:{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, stored: str, owner: CredentialOwner) -> Secret:
        """The URL. Raises CredentialError for a text that is not sealed, of another key, of another source, or altered."""
        parts = stored.split(":")
        if not is_sealed(stored) or len(parts) != _PARTS:
            raise CredentialError(
                f"the stored URL of data source {owner.name!r} is not encrypted, so it is not used: "
                "encrypt it with `jivsbench credentials rotate`, or send the source again"
            )
        if parts[1] != self.key_id:
            raise CredentialError(
                f"the stored URL of data source {owner.name!r} is encrypted with key {parts[1][:16]!a}, and this service has key "
                f"{self.key_id!r}: give it that key, or send the source again"
            )
        url = self._decrypt(parts[2], owner)
        if url is None:
            raise CredentialError(
                f"the stored URL of data source {owner.name!r} was altered, or belongs to another source: send the source "
                "again, and find out who can write to the job store"
            )
        return url

    def _decrypt(self, body: str, owner: CredentialOwner) -> Secret | None:
        from cryptography.exceptions import InvalidTag

        try:
            raw = base64.b64decode(body.replace("-", "+").replace("_", "/"), validate=True)
            return Secret(self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], self._associate(owner)).decode())
        except (InvalidTag, ValueError):
            return None

    def _associate(self, owner: CredentialOwner) -> bytes:
        # JSON, so that no two owners give the same bytes.
        return json.dumps([_FORMAT, self.key_id, owner.id, owner.name, owner.connector]).encode()


def is_sealed(stored: str) -> bool:
    """True for a text that a vault made."""
    return stored.startswith(f"{_FORMAT}:")
