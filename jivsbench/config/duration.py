"""Durations as people write them."""

import re
from typing import Final

from jivsbench.errors import ConfigError

_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = r"(\d+(?:\.\d+)?)"
_DURATION: Final = re.compile(rf"(?:{_PART}h)?(?:{_PART}m(?!s))?(?:{_PART}s)?(?:{_PART}ms)?")


def parse_duration(text: str) -> float:
    """`1h`, `1m30s`, `45s` or `500ms`, in seconds. Raises ConfigError.

    >>> parse_duration("1m30s")
    90.0
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ConfigError(f"{text!r} is no duration: write one such as '1m30s', '45s' or '500ms'")
    # One division at the end keeps 500ms exactly 0.5.
    return sum(float(part) * scale for part, scale in zip(match.groups(), _SECONDS.values(), strict=True) if part)
