"""Durations as people write them."""

import re
from typing import Final

from jivsbench.errors import ConfigError

_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
LONGEST_DAYS: Final = 366
LONGEST_S: Final = LONGEST_DAYS * 86_400.0
"""What a load, a wait or a timeout may last: no clock of the core overflows at it."""
_LONGEST_S: Final = 3600.0 * 1_000_000
"""More than a century. What is not finite is longer as well."""
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
    # One sum at the end keeps 500ms exactly 0.5.
    duration_s = sum(float(part) * scale for part, scale in zip(match.groups(), _SECONDS.values(), strict=True) if part)
    if duration_s > _LONGEST_S:
        raise ConfigError(f"{text!r} is longer than anything here lasts: write a duration of at most {_LONGEST_S / 3600:.0f}h")
    return duration_s
