"""The credential key: 32 random bytes that somebody gives to a service. There is no default, and a weak one is refused."""

import base64
import binascii
import hashlib
import secrets
import string
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from jivsbench.errors import CredentialError
from jivsbench.model.entropy import estimate_entropy_bits
from jivsbench.model.secret import Secret

KEY_BYTES: Final = 32
AUDIT_USE: Final = "audit trail"
_HEX_CHARACTERS: Final = 2 * KEY_BYTES
_FEWEST_DIFFERENT_BYTES: Final = 20
"""32 random bytes have about 30 different ones, and 20 or fewer once in 10^12."""
_LEAST_BITS: Final = 128
"""Of the text, as estimated: of 20,000 random keys none had less than 160."""
_PRINTABLE: Final = frozenset(string.printable.encode())
_ADVICE: Final = "make one with `jivsbench credentials new-key FILE`"


@dataclass(frozen=True, slots=True, repr=False)
class CredentialKey:
    """A key that passed the floor. Different uses get different keys from it."""

    _raw: bytes

    @property
    def key_id(self) -> str:
        """Names the key without telling anything of it: 16 hex digits."""
        return hashlib.blake2b(key=self._raw, digest_size=8, person=b"credential id").hexdigest()

    def derive(self, use: str) -> bytes:
        """32 bytes for one use, by HKDF with SHA-256 (RFC 5869)."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"jivsbench {use}".encode()).derive(self._raw)

    def __repr__(self) -> str:
        return "CredentialKey(***)"


def format_new_key() -> Secret:
    """A new random key as text, as `parse_credential_key` takes it."""
    return Secret(base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode())


def parse_credential_key(text: Secret) -> CredentialKey:
    """32 bytes as 64 hex digits or as base64. Raises CredentialError for another size and for what was not drawn at random."""
    written = text.reveal().strip()
    raw = _decode(written)
    if raw is None or len(raw) != KEY_BYTES:
        found = "no such text" if raw is None else f"{len(raw)} bytes"
        raise CredentialError(
            f"the credential key must be {KEY_BYTES} random bytes as base64 or as {_HEX_CHARACTERS} hex digits, "
            f"and it is {found}: {_ADVICE}"
        )
    # A phrase of 43 letters and dashes is base64 too, and gives bytes that look drawn.
    is_guessable = estimate_entropy_bits(written) < _LEAST_BITS
    weakness = "its text is made of words or repetitions" if is_guessable else _find_weakness(raw)
    if weakness:
        raise CredentialError(f"the credential key was not drawn at random ({weakness}): {_ADVICE}")
    return CredentialKey(raw)


def _decode(text: str) -> bytes | None:
    try:
        if len(text) == _HEX_CHARACTERS:
            return bytes.fromhex(text)
        standard = text.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None


def _find_weakness(raw: bytes) -> str | None:
    """What 32 random bytes are not, but once in 10^12 keys."""
    different = len(set(raw))
    if different < _FEWEST_DIFFERENT_BYTES:
        return f"only {different} different bytes"
    if _PRINTABLE.issuperset(raw):
        return "it is a text"
    steps = {(after - before) % 256 for before, after in pairwise(raw)}
    if len(steps) <= _FEWEST_DIFFERENT_BYTES // 4:
        return "its bytes follow a pattern"
    if len(zlib.compress(raw, 9)) < KEY_BYTES:
        return "it can be compressed"
    return None
