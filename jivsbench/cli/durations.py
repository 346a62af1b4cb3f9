"""Durations as they are shown on a terminal."""


def format_seconds(duration_s: float) -> str:
    """A duration as people say it.

    >>> format_seconds(95)
    '1 min 35 s'
    """
    minutes, seconds = divmod(round(duration_s), 60)
    if not minutes:
        return f"{seconds} s"
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
