"""LIKE as the oracle understands it, in plain Python."""

import re


def matches_like(text: str, pattern: str, dialect: str) -> bool:
    """True when `text` matches `pattern`: % is any text, _ any character, letters match their own case.

    On PostgreSQL a backslash takes away their meaning, and one at the end matches nothing; on SQLite it is a letter.
    """
    parts: list[str] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\" and dialect != "sqlite":
            escaped = next(letters, None)
            if escaped is None:
                return False
            parts.append(re.escape(escaped))
        elif letter == "%":
            if parts[-1:] != [".*"]:
                parts.append(".*")
        else:
            parts.append("." if letter == "_" else re.escape(letter))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
