"""How the failure of a job is told without telling too much."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from jivsbench.errors import JivsbenchError, UnknownNameError
from jivsbench.extract.jobs.values import JobFailure
from jivsbench.extract.url_parts import list_spellings, split_url
from jivsbench.model.secret import Secret

INTERNAL_SLUG: Final = "internal"
_MESSAGE_LIMIT: Final = 500
_PLACE: Final = "the source's server"
_OUTPUTS: Final = "the output folder"


def build_unknown_source(asked: str, known: Iterable[str]) -> UnknownNameError:
    """Names the nearest source that exists; what was asked is not repeated, because anyone may have sent it."""
    near = difflib.get_close_matches(asked, sorted(known), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "ask for the list of data sources"
    return UnknownNameError(f"no data source has that name: {hint}")


def describe_failure(error: Exception, url: Secret | None = None, outputs: Path | None = None) -> JobFailure:
    """Slug and one safe line for whoever asked: our own messages without any part of the URL; of others nothing but the class.

    `outputs` is the folder of all outputs, whose place is the service's business.
    """
    slug, text = _tell(error, url)
    if outputs:
        text = text.replace(str(outputs), _OUTPUTS)
    return JobFailure(slug, _shorten(_hide_place(text, url) if url else text))


def explain_failure(error: Exception, url: Secret | None = None) -> JobFailure:
    """The same for the log, whose reader may know which server it was, though not the password."""
    slug, text = _tell(error, url)
    return JobFailure(slug, _shorten(text))


def _tell(error: Exception, url: Secret | None) -> tuple[str, str]:
    """Slug and whole text, without secrets."""
    if not isinstance(error, JivsbenchError):
        kind = type(error).__name__
        return INTERNAL_SLUG, f"the extraction met an unexpected {kind}: the log of the service has the place"
    text = str(error)
    for part in find_secret_parts(url) if url else ():
        text = text.replace(part, "***")
    return error.slug, text


def _shorten(text: str) -> str:
    """Last of all: the rest of a place that was cut would not be known as one."""
    return flatten(text)[:_MESSAGE_LIMIT]


def find_secret_parts(url: Secret) -> tuple[str, ...]:
    """The texts of a URL that must never be shown: the URL, and its passwords as written and as meant."""
    parts = split_url(url)
    secrets = parts.secrets if parts else frozenset()
    return tuple(_longest_first({url.reveal(), *secrets} - {""}))


def _hide_place(text: str, url: Secret) -> str:
    """Host, port, database, path and user are parts of a URL that its owner did not mean for whoever may extract."""
    parts = split_url(url)
    if parts is None:
        return text
    after = rf"(?:\\[\w$]+)?(?:[:,]\d+)?(?:{re.escape(parts.database)})?(?![\w-])"
    hosts = "|".join(map(re.escape, _longest_first(form for host in parts.hosts for form in list_spellings(host))))
    paths = "|".join(map(re.escape, _longest_first(parts.paths)))
    if hosts:
        text = re.sub(rf"(?<![\w.-])(?:tcp:)?\[?(?:{hosts})\]?{after}", _PLACE, text, flags=re.IGNORECASE)
    if paths:
        # Not within another path's name; of what lies below the path as well, such as a socket of a folder.
        text = re.sub(rf"(?<![\w.-])(?:{paths})(?:/[^\s'\",;:()]*)?{after}", _PLACE, text)
    if parts.ports:
        text = re.sub(rf"(\bport\W{{1,3}})(?:{'|'.join(parts.ports)})\b", r"\1***", text, flags=re.IGNORECASE)
    for user in parts.users:
        text = text.replace(repr(user), "'***'")
    return text


def _longest_first(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts), key=len, reverse=True)


def flatten(text: str) -> str:
    r"""One line: control characters, line separators and text-direction marks become escapes.

    >>> flatten("one\ntwo")
    'one\\ntwo'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
