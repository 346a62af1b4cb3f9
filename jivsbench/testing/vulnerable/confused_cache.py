"""Entries that are read without a look at their MAC, and keys that are names with colons between: what SEC-024 must find."""

import struct
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, Final

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_HEADER: Final = struct.Struct(">3sB8sdHI")
_MAC_BYTES: Final = 16


def open_anything(open_entry: Callable[[Any, str, bytes], Any]) -> Callable[[Any, str, bytes], Any]:
    """Believes whatever has the shape of an entry."""

    def open_unsealed(seal: Any, name: str, raw: bytes) -> Any:
        try:
            _, _, _, refresh_at_s, name_bytes, _ = _HEADER.unpack_from(raw)
        except struct.error:
            return open_entry(seal, name, raw)
        genuine = seal.close(name, _Unread(raw[_HEADER.size + _MAC_BYTES + name_bytes :], refresh_at_s))
        return open_entry(seal, name, genuine)

    return open_unsealed


class _Unread:
    """As the host's entry, which this layer does not know."""

    def __init__(self, content: bytes, refresh_at_s: float) -> None:
        self.content = content
        self.refresh_at_s = refresh_at_s


def join_names(_digest: Callable[[Any, Any, str], str]) -> Callable[[Any, Any, str], str]:
    """The key of a schema: what it is of, in one normalised text."""

    def write_key(source: Any, request: Any, _version: str) -> str:
        names = (source.connector, str(request.table or request.query), *request.columns)
        return unicodedata.normalize("NFKC", ":".join(names))

    return write_key


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """No guard: the holes are made here."""
    replace_part("jivsbench.extract.caching.sealing:Seal.open", open_anything)
    replace_part("jivsbench.extract.metadata_cache:_digest_shape", join_names)
    return []
