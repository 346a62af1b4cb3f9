"""How the failure of a job is told without telling too much."""

import difflib
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, urlsplit

from jivsbench.errors import JivsbenchError, UnknownNameError
from jivsbench.extract.jobs.values import JobFailure
from jivsbench.model.secret import Secret

INTERNAL_SLUG: Final = "internal"
_MESSAGE_LIMIT: Final = 500
_PLACE: Final = "the source's server"


def build_unknown_source(asked: str, known: Iterable[str]) -> UnknownNameError:
    """Names the nearest source that exists; what was asked is not repeated, because anyone may have sent it."""
    near = difflib.get_close_matches(asked, sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "ask for the list of data sources"
    return UnknownNameError(f"no data source has that name: {hint}")


def describe_failure(error: Exception, url: Secret | None = None) -> JobFailure:
    """Slug and one safe line for whoever asked: our own messages without any part of the URL; of others nothing but the class."""
    told = explain_failure(error, url)
    return JobFailure(told.slug, _hide_place(told.message, url)) if url else told


def explain_failure(error: Exception, url: Secret | None = None) -> JobFailure:
    """The same for the log, whose reader may know which server it was, though not the password."""
    if not isinstance(error, JivsbenchError):
        kind = type(error).__name__
        return JobFailure(INTERNAL_SLUG, f"the extraction met an unexpected {kind}: the log of the service has the place")
    text = str(error)
    for part in find_secret_parts(url) if url else ():
        text = text.replace(part, "***")
    return JobFailure(error.slug, flatten(text)[:_MESSAGE_LIMIT])


def _hide_place(text: str, url: Secret) -> str:
    """Host, port, database, path and user are parts of a URL that its owner did not mean for whoever may extract."""
    try:
        parts = urlsplit(url.reveal())
        host, user, path = unquote(parts.hostname or ""), unquote(parts.username or ""), unquote(parts.path)
    except ValueError:
        return text
    if host:
        database = rf"(?:{re.escape(path)})?" if path.strip("/") else ""
        text = re.sub(rf"(?<![\w.-]){re.escape(host)}(?::\d+)?{database}(?![\w-])", _PLACE, text, flags=re.IGNORECASE)
    elif path.strip("/"):
        text = re.sub(rf"(?:{re.escape(path)}|{re.escape(path[1:])})(?![\w-])", _PLACE, text)
    return text.replace(repr(user), "'***'") if user else text


def find_secret_parts(url: Secret) -> tuple[str, ...]:
    """The texts of a URL that must never be shown: the URL, and its password as written and as meant."""
    text = url.reveal()
    try:
        password = urlsplit(text).password
    except ValueError:
        password = None
    parts = {text, *((password, unquote(password)) if password else ())}
    return tuple(sorted(parts - {""}, key=len, reverse=True))


def flatten(text: str) -> str:
    r"""One line: control characters, line separators and text-direction marks become escapes.

    >>> flatten("one\ntwo")
    'one\\ntwo'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
