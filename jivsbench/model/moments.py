"""Dates and times that came as text (of a filter, say), read exactly or not at all."""

import re
from datetime import datetime, time
from typing import Final

_PAST_MICROSECONDS: Final = re.compile(r"[.,][0-9]{6}0*[1-9]")


def parse_moment(text: str) -> datetime:
    """A date and time in ISO 8601. Raises ValueError, also for digits past the microsecond, which Python's own reader cuts."""
    return datetime.fromisoformat(_check(text))


def parse_time(text: str) -> time:
    """A time of day in ISO 8601. Raises ValueError, as `parse_moment` does."""
    return time.fromisoformat(_check(text))


def _check(text: str) -> str:
    if _PAST_MICROSECONDS.search(text):
        raise ValueError
    return text
