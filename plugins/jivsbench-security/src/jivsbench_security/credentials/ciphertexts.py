"""What can be done to a stored ciphertext without its key, and how a password looks when it is only encoded."""

import base64
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Tampering:
    """A text to put in the place of a stored one."""

    what: str
    text: str


def read_nonce(stored: str) -> bytes:
    """The first bytes of what is behind the head; the whole text when it is no ciphertext."""
    _, raw = split(stored)
    return raw[:_NONCE_BYTES]


def split(stored: str) -> tuple[str, bytes]:
    """Head (format and key) and bytes; for a text that is not base64 its own bytes."""
    head, separator, body = stored.rpartition(":")
    try:
        return head + separator, base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except ValueError:
        return head + separator, body.encode()


def list_tamperings(stored: str, other: str, plain: str, choice: random.Random, flips: int | None = None) -> Iterator[Tampering]:
    """`other` is the ciphertext of another source, `plain` its URL. `flips`: so many bits, in each part; None: all."""
    head, raw = split(stored)
    yield Tampering("the ciphertext of another source", other)
    yield Tampering("a URL in clear", plain)
    yield Tampering("a ciphertext of another key", join(head, _seal(plain)))
    yield Tampering("the body of another source's ciphertext", join(head, raw[:_NONCE_BYTES] + split(other)[1][_NONCE_BYTES:]))
    yield Tampering("a ciphertext without a tag", join(head, raw[:-_TAG_BYTES]))
    yield Tampering("nothing but a nonce", join(head, raw[:_NONCE_BYTES]))
    for missing in (1, 4, 8, 12, 15):
        yield Tampering(f"a tag without its last {missing} bytes", join(head, raw[:-missing]))
    for name, start, end in (
        ("nonce", 0, _NONCE_BYTES),
        ("ciphertext", _NONCE_BYTES, len(raw) - _TAG_BYTES),
        ("tag", len(raw) - _TAG_BYTES, len(raw)),
    ):
        bits = range(8 * start, 8 * end)
        for bit in bits if flips is None else choice.sample(bits, min(flips // 3, len(bits))):
            flipped = bytearray(raw)
            flipped[bit // 8] ^= 1 << bit % 8
            yield Tampering(f"bit {bit - 8 * start} of the {name} turned", join(head, bytes(flipped)))


def join(head: str, raw: bytes) -> str:
    """The text that `split` takes apart."""
    return head + base64.urlsafe_b64encode(raw).decode()


def find_encodings(secret: str) -> tuple[bytes, ...]:
    """The secret as it is, and as base64 (wherever it begins), hex, percent signs and UTF-16 show it."""
    raw = secret.encode()
    encoded = {raw, raw.hex().encode(), quote(secret, safe="").encode(), secret.encode("utf-16-le")}
    for offset in range(3):
        # What depends on the neighbours is cut off.
        text = base64.b64encode(b"\0" * offset + raw)
        encoded |= {text[4 if offset else 0 : -4], text[4 if offset else 0 : -4].translate(bytes.maketrans(b"+/", b"-_"))}
    return tuple(sorted(encoded))


def _seal(text: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(secrets.token_bytes(_KEY_BYTES)).encrypt(nonce, text.encode(), None)
