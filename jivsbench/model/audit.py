"""The chain of an audit trail: each line holds a digest of itself and of the line before. Pure.

A line that is changed, moved, put in or taken out breaks the chain. Lines cut off at the end do not: for that, a digest
that was noted elsewhere (the service logs it when it starts and ends) has to be found in the trail. With a key, nobody
who lacks it can write a chain anew; without one the chain shows mistakes and clumsy hands only.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

START: Final = "0" * 64
"""What the first line names as the one before."""
_DIGEST: Final = "digest"


@dataclass(frozen=True, slots=True)
class TrailReview:
    """What a trail is: how many lines hold, the digest of the last of them, and what is wrong with the one after."""

    lines: int
    head: str
    problem: str | None = None
    has_noted_head: bool | None = None
    """Whether a digest that was noted elsewhere is in the trail; None when none was given."""

    @property
    def is_intact(self) -> bool:
        """True when every line holds, and nothing that was noted is missing."""
        return self.problem is None and self.has_noted_head is not False


def format_line(fields: Mapping[str, object], number: int, previous: str, key: bytes | None) -> tuple[bytes, str]:
    """One line of the trail, with its end, and its digest."""
    encoded = _encode({"line": number, **fields, "previous": previous})
    digest = _sign(encoded, key)
    return _join(encoded, digest), digest


def review_trail(
    lines: Iterable[bytes], key: bytes | None, noted_head: str | None = None, after: str | None = None
) -> TrailReview:
    """Follow the chain from its first line to the first that does not hold.

    `after` is the digest of the last line that was moved away; None: the trail has to be there from its very first line.
    """
    count, number, previous = 0, 0, after or START
    is_found = None if noted_head is None else noted_head == previous
    for line in lines:
        is_first_left = after is not None and count == 0
        digest = check_line(line, None if is_first_left else number + 1, previous, key)
        if digest is None:
            told = "the first line is" if is_first_left else f"line {number + 1} is"
            before = "what was moved away" if is_first_left else f"line {number}"
            problem = f"{told} not what was written after {before}: it, or lines before it, were changed or removed"
            return TrailReview(count, previous, problem, is_found)
        number = json.loads(line)["line"] if is_first_left else number + 1
        count, previous = count + 1, digest
        is_found = is_found or (None if noted_head is None else digest == noted_head)
    return TrailReview(count, previous, None, is_found)


def check_line(line: bytes, number: int | None, previous: str | None, key: bytes | None) -> str | None:
    """The digest of a line that holds after `previous` (None: after whatever it names); None for one that does not."""
    try:
        body = json.loads(line)
        digest = body.pop(_DIGEST)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return None
    is_next = previous is None or body.get("previous") == previous
    is_numbered = number is None or body.get("line") == number
    encoded = _encode(body)
    # The bytes, not the meaning: a line written in another way was written by somebody else.
    is_ours = isinstance(digest, str) and line == _join(encoded, digest)
    if is_next and is_numbered and is_ours and hmac.compare_digest(digest, _sign(encoded, key)):
        return str(digest)
    return None


def _sign(encoded: bytes, key: bytes | None) -> str:
    return hmac.digest(key, encoded, "sha256").hex() if key else hashlib.sha256(encoded).hexdigest()


def _join(encoded: bytes, digest: str) -> bytes:
    """The object with one member more, and the end of the line."""
    return encoded[:-1] + f',"{_DIGEST}":{json.dumps(digest)}}}\n'.encode()


def _encode(body: Mapping[str, object]) -> bytes:
    # JSON escapes control characters and whatever turns the direction of text, so one event is one line.
    return json.dumps(body, separators=(",", ":")).encode()
