"""Times in the store are whole microseconds since 1970 in UTC: exact, sortable and the same on every database."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def read_clock_us() -> int:
    """Now, in microseconds since 1970."""
    return time.time_ns() // 1000


def to_datetime(instant_us: int) -> datetime:
    """The instant as an aware datetime, exact to the microsecond.

    >>> to_datetime(1_500_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return _EPOCH + timedelta(microseconds=instant_us)


def to_us(instant: datetime) -> int:
    """The reverse of `to_datetime`."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def to_datetime_or_none(instant_us: int | None) -> datetime | None:
    """Like `to_datetime`; None stays None."""
    return None if instant_us is None else to_datetime(instant_us)
