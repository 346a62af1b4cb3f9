"""Who may do what: bearer tokens and the roles they carry."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jivsbench.errors import ConfigError
from jivsbench.model.entropy import estimate_entropy_bits

MIN_TOKEN_CHARACTERS: Final = 16
MIN_TOKEN_BITS: Final = 70
"""16 random letters and digits have 95 bits; phrases of known words and numbers in a row stay below."""
_SCHEME: Final = b"bearer "


class Role(StrEnum):
    """VIEWER reads, DATA_ENGINEER extracts too, ADMIN changes data sources too."""

    VIEWER = "VIEWER"
    DATA_ENGINEER = "DATA_ENGINEER"
    ADMIN = "ADMIN"

    def includes(self, needed: "Role") -> bool:
        """True when this role may do what `needed` may do."""
        return _RANKS[self] >= _RANKS[needed]


_RANKS: Final = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the role, and a name for the token that tells nothing of it."""

    role: Role
    token_id: str


class Authority:
    """Knows the digests of all tokens. Raises ConfigError when there is none, one can be guessed, or two are the same."""

    def __init__(self, tokens: Sequence[tuple[str, Role]]) -> None:
        if not tokens:
            raise ConfigError("the service was given no token, so nobody could use it: give it at least one of role ADMIN")
        for text, role in tokens:
            if len(text) < MIN_TOKEN_CHARACTERS:
                raise ConfigError(
                    f"a token of role {role.value} has {len(text)} characters: it needs {MIN_TOKEN_CHARACTERS} random ones"
                )
            if estimate_entropy_bits(text) < MIN_TOKEN_BITS:
                raise ConfigError(
                    f"a token of role {role.value} can be guessed: it is made of known words, repetitions or rows of numbers, so "
                    f"it has less than {MIN_TOKEN_BITS} bits; draw it at random, such as with `openssl rand -hex 24`"
                )
        self._callers = tuple((_digest(text.encode()), Caller(role, _name(text))) for text, role in tokens)
        if len({digest for digest, _ in self._callers}) < len(self._callers):
            raise ConfigError("two tokens are the same, so their role is not certain: give every role its own")

    def find_caller(self, header: bytes | None) -> Caller | None:
        """Who is behind an Authorization header; None for none or a wrong one. Takes the same time for every token."""
        if header is None or header[: len(_SCHEME)].lower() != _SCHEME:
            return None
        asked = _digest(header[len(_SCHEME) :].strip())
        found = None
        for digest, caller in self._callers:
            if hmac.compare_digest(digest, asked):
                found = caller
        return found


def _digest(token: bytes) -> bytes:
    # Of equal length whatever was sent, so that not even the length of a token can be measured.
    return hashlib.sha256(token).digest()


def _name(token: str) -> str:
    return hashlib.blake2b(token.encode(), digest_size=6, person=b"token id").hexdigest()
