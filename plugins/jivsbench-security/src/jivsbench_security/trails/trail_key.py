"""The key that signs a trail, by HKDF with SHA-256 (RFC 5869) in a second implementation.

The host's own would prove nothing here: were it to sign with nothing, it would also verify with nothing.
"""

import base64
import hashlib
import hmac
from typing import Final

_KEY_BYTES: Final = 32
_HEX_CHARACTERS: Final = 64
_USE: Final = b"jivsbench audit trail"


def derive_trail_key(credential_key: str) -> bytes:
    """32 bytes, of a credential key as it was given to the target."""
    text = credential_key.strip()
    if len(text) == _HEX_CHARACTERS:
        raw = bytes.fromhex(text)
    else:
        standard = text.replace("-", "+").replace("_", "/").rstrip("=")
        raw = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    extracted = hmac.digest(b"\0" * _KEY_BYTES, raw, hashlib.sha256)
    # One block of output is the whole key: expand's first step.
    return hmac.digest(extracted, _USE + b"\x01", hashlib.sha256)
