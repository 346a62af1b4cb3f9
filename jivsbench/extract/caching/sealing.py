"""The bytes of one cache entry: a header, the name that it is stored under, and JSON, under one MAC.

A cache may be shared, may flip or cut what it holds, and may still hold what an older version wrote. So an entry is read
only when its MAC, made with a key that never enters the cache, covers exactly these bytes under exactly this name. What is
not read is told apart, so that an operator sees whether entries were cut, altered, moved or written by somebody else.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass
from typing import Final

from jivsbench.model.statistics import MissKind

KEY_BYTES: Final = 32
VERSION: Final = 2
_MAGIC: Final = b"jiv"
_MAC_BYTES: Final = 16
_OPENING: Final = struct.Struct(">3sB")
# Magic and version, fingerprint of the key, when to refresh, sizes of name and content; the MAC follows.
_HEADER: Final = struct.Struct(">3sB8sdHI")
_BODY_AT: Final = _HEADER.size + _MAC_BYTES


@dataclass(frozen=True, slots=True)
class Entry:
    """What was sealed: JSON, and the wall clock's second from which somebody should load it anew."""

    content: bytes
    refresh_at_s: float


class Seal:
    """Seals and opens entries with one key, for many threads."""

    __slots__ = ("_fingerprint", "_keyed")

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(key=key, digest_size=_MAC_BYTES, person=b"cache entry")
        self._fingerprint = hashlib.blake2b(key=key, digest_size=8, person=b"cache key").digest()

    def close(self, name: str, entry: Entry) -> bytes:
        """The bytes to store under that name."""
        encoded = name.encode()
        header = _HEADER.pack(_MAGIC, VERSION, self._fingerprint, entry.refresh_at_s, len(encoded), len(entry.content))
        body = encoded + entry.content
        return header + self._sign(header, body) + body

    def open(self, name: str, raw: bytes) -> Entry | MissKind:
        """What was sealed under that name, or why it is not read."""
        if len(raw) < _BODY_AT:
            return MissKind.TRUNCATED if raw[: len(_MAGIC)] == _MAGIC[: len(raw)] else MissKind.ALIEN
        magic, version = _OPENING.unpack_from(raw)
        if magic != _MAGIC:
            return MissKind.ALIEN
        if version != VERSION:
            return MissKind.OTHER_VERSION
        _, _, fingerprint, refresh_at_s, name_bytes, content_bytes = _HEADER.unpack_from(raw)
        if fingerprint != self._fingerprint:
            return MissKind.OTHER_KEY
        if len(raw) < _BODY_AT + name_bytes + content_bytes:
            return MissKind.TRUNCATED
        body = raw[_BODY_AT:]
        if not hmac.compare_digest(raw[_HEADER.size : _BODY_AT], self._sign(raw[: _HEADER.size], body)):
            return MissKind.ALTERED
        if body[:name_bytes] != name.encode():
            return MissKind.OTHER_NAME
        return Entry(body[name_bytes:], refresh_at_s)

    def _sign(self, header: bytes, body: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(header)
        keyed.update(body)
        return keyed.digest()
