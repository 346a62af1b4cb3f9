"""URLs, read in one way. Libraries read the same URL differently: what is a path to one is another's password, and its host."""

from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_FILES: Final = frozenset({"files", "memory", "sqlite"})


def parse_url(text: str) -> SplitResult:
    """The parts of a URL that is read alike everywhere. Raises ValueError, whose text nobody may see, for any other.

    An "@" stands before a server's host alone: SQLAlchemy takes `a://b:1/c@d` for the password `1/c` of a server `d`, and
    whoever forgot to percent-encode a password means the same. A file's path may hold one.
    """
    parts = urlsplit(text)
    # Tabs and line ends are left out by the standard library, and by no other; to a library in C a NUL is the end.
    if not parts.scheme or not text.isprintable() or "\0" in unquote(text):
        raise ValueError("no scheme, or characters that cannot be printed")
    if "@" in parts.path + parts.query + parts.fragment and (parts.netloc or not is_file_scheme(parts.scheme)):
        raise ValueError("an '@' behind the host")
    _ = parts.port
    return parts


def is_file_scheme(scheme: str) -> bool:
    """True for the schemes of files, and of memory: whatever stands behind them leads to no server.

    >>> is_file_scheme("sqlalchemy+sqlite"), is_file_scheme("postgresql")
    (True, False)
    """
    return not _FILES.isdisjoint(scheme.split("+"))
