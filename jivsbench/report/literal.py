"""Text that others chose, shown as it is: nothing in it may act, hide or turn the reading direction."""

import re
from typing import Final

# Control characters, zero-width and direction marks, line separators, lone surrogates, and what XML 1.0 forbids.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\uffff]"
)


def show_literally(text: str) -> str:
    r"""Write every character that has no shape of its own as its number; line feeds and tabs stay.

    >>> show_literally("a\x00b\u202ec")
    'a[U+0000]b[U+202E]c'
    """
    return _INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def show_on_one_line(text: str) -> str:
    """The same, with line breaks and runs of blanks as one blank."""
    return " ".join(show_literally(text).split())
