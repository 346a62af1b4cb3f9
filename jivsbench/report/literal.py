"""Text that others chose, shown as it is: nothing in it may act, hide or turn the reading direction."""

import re
import unicodedata
from typing import Final

_SPECIALS: Final = "\ufff0"
"""From here to U+FFFF stand replacement marks, and what XML 1.0 forbids."""
_ORDER: Final = re.compile(r"##\[|(?<!\S)::")
"""What GitHub's runner obeys: the old form anywhere in a line; the new one at its beginning, behind blanks too."""


def show_literally(text: str) -> str:
    r"""Write every character that has no shape of its own as its number; line feeds and tabs stay.

    >>> show_literally("a\x00b\u202ec")
    'a[U+0000]b[U+202E]c'
    """
    # Most texts are plain: nothing below U+FFF0 that may be printed has to be looked at by itself.
    if text.isprintable() and max(text, default="") < _SPECIALS:
        return text
    return "".join(character if _has_shape(character) else f"[U+{ord(character):04X}]" for character in text)


def _has_shape(character: str) -> bool:
    """False for controls, zero-width and direction marks, line separators, lone surrogates and unassigned numbers."""
    if _SPECIALS <= character <= "\uffff":
        return False
    return character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"


def show_on_one_line(text: str) -> str:
    """The same, with line breaks and runs of blanks as one blank."""
    return " ".join(show_literally(text).split())


def disarm(line: str) -> str:
    """A line of a log, without anything that CI would take for an order.

    >>> disarm("a ##[error] b"), disarm("  ::stop-commands::x"), disarm("std::vector")
    ('a [U+0023]#[error] b', '  [U+003A]:stop-commands::x', 'std::vector')
    """
    return _ORDER.sub(lambda found: f"[U+{ord(found[0][0]):04X}]{found[0][1:]}", line)


def show_in_log(text: str) -> str:
    """Text that others chose, for a line of a terminal's or CI's log."""
    return disarm(show_on_one_line(text))
