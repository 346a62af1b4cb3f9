"""Shares as people write them: with their percent sign, so that 0.05 and 5 are never mixed up."""

import re
from math import inf
from typing import Final

from jivsbench.errors import ConfigError

_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def parse_percent(text: str) -> float:
    """`5%` or `2.5 %` as a ratio. Raises ConfigError.

    >>> parse_percent("5 %")
    0.05
    """
    match = _PERCENT.fullmatch(text.strip())
    if match is None or not 0 < float(match[1]) < inf:
        raise ConfigError(f"{text!r} is no share: write one above 0 with its sign, such as '5%'")
    return float(match[1]) / 100
