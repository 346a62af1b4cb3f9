"""How hard a secret is to guess, judged from its text alone. A rough figure: a text can be weaker than it looks."""

import math
import re
import string
from typing import Final

_ALPHABETS: Final = (
    frozenset(string.digits),
    frozenset(string.digits + "abcdef"),
    frozenset(string.digits + "ABCDEF"),
    frozenset(string.ascii_lowercase),
    frozenset(string.ascii_uppercase),
    frozenset(string.ascii_lowercase + string.digits),
    frozenset(string.ascii_uppercase + string.digits),
    frozenset(string.ascii_letters),
    frozenset(string.ascii_letters + string.digits),
    frozenset(string.ascii_letters + string.digits + "-_+/="),
    frozenset(string.printable),
)
_LARGEST: Final = 256
_KNOWN: Final = re.compile(
    r"change[-_ ]?(?:me|this|it)|passw(?:or|0r)?d|passphrase|secret|default|example|sample|insecure|placeholder|replace[-_ ]?me"
    r"|letmein|welcome|monkey|dragon|master|qwerty|azerty|asdfgh|zxcvbn|iloveyou|trustno1|administrator|admin|root|toor|guest"
    r"|user|demo|test|token|bearer|apikey|private|redis|postgres|mysql|mariadb|oracle|jivsbench|jwt|todo|foobar|dummy|temp"
    r"|viewer|engineer|correct|horse|battery|staple|super|please|your|here|insert|unsafe|dev|prod|staging|local|key"
    r"|characters?|with|least|long|very|only|this|development|minimum|random|string|generate|before|deploy",
    re.IGNORECASE,
)
"""What defaults, samples and placeholders are made of. It counts for nothing, wherever it stands."""
_REPEATED: Final = re.compile(r"(.{3,})(?=.*\1)", re.DOTALL)
"""A part that comes once more further on."""
_LONGEST_CHARACTERS: Final = 256
"""Looking for repetitions takes time; what so many characters do not bring, more of them seldom do."""
_SHORTEST_RUN: Final = 3
_WORD: Final = re.compile(r"[A-Z]?[a-z]{5,}|[A-Z]{6,}|(?<![A-Za-z0-9])[A-Z]?[a-z]{2,4}(?![A-Za-z0-9])")
_WORD_BITS: Final = 2.5
"""A letter of a word tells less than a letter drawn at random; several letters of one case in a row look like a word, and few
that stand alone between marks too."""
_MARK_BITS: Final = 1.0
"""What stands between words is seldom a surprise."""


def estimate_entropy_bits(text: str) -> float:
    """Characters that bring something new, times the bits that one of the text's alphabet can bring at most.

    Known words, runs such as `aaa` or `4567` and repetitions of a part bring nothing new; letters that look like a word little.

    >>> estimate_entropy_bits("changeme" * 8)
    0.0
    >>> estimate_entropy_bits("9f86d081884c7d659a2feaa0c55ad015") >= 100
    True
    """
    if not text:
        return 0.0
    bits = math.log2(min((len(alphabet) for alphabet in _ALPHABETS if alphabet.issuperset(text)), default=_LARGEST))
    left = _REPEATED.sub("", _KNOWN.sub("", text[:_LONGEST_CHARACTERS]))
    bits = min(bits, _spread_bits(left))
    words = "".join(_WORD.findall(left))
    drawn = _WORD.sub("", left)
    marks = sum(not character.isalnum() for character in drawn)
    drawn = "".join(character for character in drawn if character.isalnum())
    return (
        _count_new_characters(drawn) * bits + _count_new_characters(words) * min(bits, _WORD_BITS) + marks * min(bits, _MARK_BITS)
    )


def _count_new_characters(text: str) -> int:
    """Characters of a run of equal or rising or falling ones count once."""
    count, position = 0, 0
    while position < len(text):
        end = position + 1
        if end < len(text):
            step = ord(text[end]) - ord(text[position])
            if abs(step) <= 1:
                while end < len(text) and ord(text[end]) - ord(text[end - 1]) == step:
                    end += 1
        if end - position < _SHORTEST_RUN:
            end = position + 1
        count += 1
        position = end
    return count


def _spread_bits(text: str) -> float:
    """What a character can tell when only these few different ones occur; long random texts are not touched by it."""
    different = len(set(text))
    return math.log2(different * different) if different > 1 else 0.0
