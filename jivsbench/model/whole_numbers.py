"""Whole numbers as people and servers write them: in options, files and headers."""

import re
from typing import Final

MOST_DIGITS: Final = 18
"""64 bits hold any number of so many digits."""
_WHOLE_NUMBER: Final = re.compile(f"[0-9]{{1,{MOST_DIGITS}}}")


def parse_whole_number(text: str) -> int | None:
    """The number, or None for any other text. Python itself would take digits of other scripts, and fail at thousands of them.

    >>> parse_whole_number("0042"), parse_whole_number("-1"), parse_whole_number("\u0663"), parse_whole_number("9" * 19)
    (42, None, None, None)
    """
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else None
