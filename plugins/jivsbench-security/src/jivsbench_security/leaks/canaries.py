"""Secrets that nobody else has, and the search for them, whole or in pieces, in whatever a target leaves behind."""

import base64
import re
import secrets
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final
from urllib.parse import quote, quote_plus

_LETTERS: Final = string.ascii_letters + string.digits
_GROUPS: Final = 6
_MARK: Final = "~"
"""In no base64 and in no hex: a piece of six that holds one is met by chance nowhere."""
_PIECE: Final = 6
_LONG_PIECE: Final = 8
"""Of a secret that has no mark, as others drew it."""
_LEAST_CHARACTERS: Final = 12
_AROUND: Final = 16
_WORD: Final = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_DRAWN: Final = tuple(map(re.compile, ("[a-z]", "[A-Z]", "[0-9]")))
_READABLE: Final = ("plain", "in small letters", "percent-encoded")


@dataclass(frozen=True, slots=True, repr=False)
class Canary:
    """A secret, and what it is the secret of."""

    owner: str
    text: str
    least: int = 0
    """How many characters of it are a leak; 0: as few as are met nowhere by chance."""

    def __repr__(self) -> str:
        return f"Canary({self.owner!r})"

    @property
    def piece(self) -> int:
        """The length of what is looked for."""
        return self.least or (_PIECE if self.is_marked else _LONG_PIECE)

    @property
    def is_marked(self) -> bool:
        """True when it holds a mark in every piece."""
        return _MARK in self.text and not self.least

    @property
    def is_unique(self) -> bool:
        """False for one so short that it may be met by chance."""
        return len(self.text) >= _LEAST_CHARACTERS


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret was found; the evidence names it by its owner."""

    owner: str
    encoding: str


def watch_secret(owner: str, text: str) -> Canary:
    """A secret that others chose: drawn, so that no piece of it is met by chance, or made of words, and then looked for whole."""
    pieces = [text[start : start + _LONG_PIECE] for start in range(len(text) - _LONG_PIECE + 1)]
    is_drawn = all(sum(kind.search(piece) is not None for kind in _DRAWN) > 1 for piece in pieces)
    return Canary(owner, text, 0 if is_drawn else len(text))


def draw_canary(owner: str) -> Canary:
    """A new secret: letters and digits, a mark in every piece of six, and two signs that URLs encode."""
    groups = ["".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS)]
    return Canary(owner, _MARK.join(groups[:3]) + "~&" + _MARK.join(groups[3:]))


def find_leaks(content: bytes, canaries: Iterable[Canary]) -> tuple[Leak, ...]:
    """Which secrets are in there, in which encoding: any piece of one, plain, in small letters, percent signs, base64 or hex."""
    haystacks = _Haystacks(content)
    return tuple(
        Leak(canary.owner, encoding)
        for canary in canaries
        for encoding, needles in _list_needles(canary)
        if any(needle in haystacks.choose(needle, is_marked=canary.is_marked and encoding in _READABLE) for needle in needles)
    )


class _Haystacks:
    """What of a content can hold a piece: a tenth of it at most, and there are thousands of pieces."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        around, place = [], content.find(_MARK.encode())
        while place >= 0:
            around.append(content[max(0, place - _AROUND) : place + _AROUND])
            place = content.find(_MARK.encode(), place + 1)
        self._marked = b"\n".join(around)
        self._words = b"\n".join(dict.fromkeys(_WORD.findall(content)))

    def choose(self, needle: bytes, *, is_marked: bool) -> bytes:
        """Around the marks, for a piece with one; among long words, for what is one; else everything."""
        if is_marked:
            return self._marked
        return self._words if _is_word(needle) else self._content


@lru_cache(maxsize=65_536)
def _is_word(needle: bytes) -> bool:
    return _WORD.fullmatch(needle) is not None


@lru_cache(maxsize=64)
def _list_needles(canary: Canary) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    return tuple(_build_needles(canary))


def _build_needles(canary: Canary) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    text, piece = canary.text, canary.piece
    plain = tuple(_cut(text, piece))
    yield "plain", plain
    if canary.is_marked:
        # As the name of a host is written, and the key of a header.
        yield "in small letters", tuple(needle for needle in _cut(text.lower(), piece) if needle not in plain)
    quoted = dict.fromkeys(chain(_cut(quote(text, safe=""), piece), _cut(quote_plus(text, safe=""), piece)))
    yield "percent-encoded", tuple(needle for needle in quoted if needle not in plain)
    yield (
        "base64",
        tuple(dict.fromkeys(chain.from_iterable(_cut(part, min(4 * piece // 3, len(part))) for part in _encode_base64(text)))),
    )
    hexadecimal = text.encode().hex()
    yield "hex", tuple(chain(_cut(hexadecimal, 2 * piece, 2), _cut(hexadecimal.upper(), 2 * piece, 2)))


def _encode_base64(text: str) -> Iterator[str]:
    """As it looks wherever in a longer text it begins: the letters that no neighbour touches, in both alphabets."""
    for before in range(3):
        whole = b"\0" * before + text.encode()
        whole = whole[: len(whole) - len(whole) % 3]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(whole).decode()[4 if before else 0 :]


def _cut(text: str, size: int, step: int = 1) -> Iterator[bytes]:
    for start in range(0, len(text) - size + 1, step):
        yield text[start : start + size].encode()
