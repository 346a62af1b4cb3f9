"""URLs of servers: where their passwords come from, and what is refused before anybody tries to connect."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from jivsbench.config.document import Section
from jivsbench.config.secret_sources import only_one, read_secret, read_variable
from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret
from jivsbench.model.url import parse_url

URL_KEYS: Final = ("url", "url_file", "url_keyring", "password_file", "password_keyring")
_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_WITHOUT_PLACE: Final = frozenset({"memory"})
"""Schemes that name all there is: this process. Others would open something that nobody chose, as `sqlite://` does."""


def read_url(section: Section, env: Mapping[str, str]) -> Secret | None:
    """The URL that a section gives by `url` (with `${NAME}` from the environment), `url_file` or `url_keyring`.

    `password_file` and `password_keyring` give the password alone.
    """
    key = only_one(section, ("url", "url_file", "url_keyring"))
    password_key = only_one(section, ("password_file", "password_keyring"))
    text = _expand(section, section.text("url"), env) if key == "url" else _read_named(section, key)
    if key is None or text is None:
        if password_key:
            section.fail(password_key, "there is no 'url' that the password could belong to: add it")
        return None
    problem = _find_problem(text)
    if problem:
        section.fail(key, problem)
    password = _read_named(section, password_key)
    if password_key and password:
        text = _insert_password(section, password_key, text, password)
    return Secret(text)


def _read_named(section: Section, key: str | None) -> str | None:
    return read_secret(section, key) if key else None


def check_url(text: str, origin: str) -> Secret:
    """A URL from a flag or the environment. Raises ConfigError naming where it came from, never the URL."""
    problem = _find_problem(text)
    if problem:
        raise ConfigError(f"{origin}: {problem}")
    return Secret(text)


def scheme_of(url: Secret) -> str:
    """The scheme of a URL that was checked."""
    return url.reveal().partition("://")[0].lower()


def _find_problem(text: str) -> str | None:
    scheme, separator, rest = text.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return "it is no URL: write scheme://user@host:port/name"
    if any(character.isspace() or not character.isprintable() for character in text):
        return "it holds a blank or a control character: write those as %20 and the like"
    if "%00" in text:
        return "it holds a NUL character, %00, at which some drivers stop reading: remove it"
    try:
        parse_url(text)
    except ValueError:
        return (
            "its host or port cannot be read, or an @ stands behind them: in a user or password write @ : / ? # as "
            "%40 %3A %2F %3F %23, and elsewhere @ as %40"
        )
    return None if rest or scheme in _WITHOUT_PLACE else "it ends after its scheme: add host and name"


def _expand(section: Section, template: str | None, env: Mapping[str, str]) -> str | None:
    if template is None:
        return None
    credentials_end = _find_credentials_end(template)

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if not _NAME.fullmatch(name):
            section.fail("url", "a reference is written ${NAME}, with the name of an environment variable")
        value = read_variable(env, name)
        if not value:
            state = "empty" if name in env else "not set"
            section.fail("url", f"it refers to the environment variable {name}, which is {state}: set it, or {name}_FILE")
        return quote(value, safe="") if match.start() < credentials_end else value

    return _REFERENCE.sub(replace, template)


def _find_credentials_end(template: str) -> int:
    """Where user and password end: before it a value is quoted, so that a password may hold any character."""
    start = template.find("://")
    if start < 0:
        return 0
    start += len("://")
    # A reference holds none of these, so the authority ends at the first one.
    ends = [position for position in (template.find(mark, start) for mark in "/?#") if position >= 0]
    return max(template.rfind("@", start, min(ends, default=len(template))), 0)


def _insert_password(section: Section, key: str, url: str, password: str) -> str:
    scheme, _, rest = url.partition("://")
    ends = [position for position in (rest.find(mark) for mark in "/?#") if position >= 0]
    end = min(ends, default=len(rest))
    user, _, host = rest[:end].rpartition("@")
    if ":" in user:
        section.fail(key, "the URL holds a password already: keep one of them")
    return f"{scheme}://{user}:{quote(password, safe='')}@{host}{rest[end:]}"
