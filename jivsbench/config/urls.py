"""URLs of servers: where their passwords come from, and what is refused before anybody tries to connect."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from jivsbench.config.document import Section
from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret

URL_KEYS: Final = ("url", "url_file", "password_file")
_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_LONGEST_SECRET_BYTES: Final = 65_536


def read_url(section: Section, env: Mapping[str, str]) -> Secret | None:
    """The URL that a section gives by `url` (with `${NAME}` from the environment) or `url_file`, and `password_file`."""
    if "url" in section and "url_file" in section:
        section.fail("url_file", "there is a 'url' as well: keep one of them")
    url_file, password_file = section.text("url_file"), section.text("password_file")
    key = "url_file" if url_file else "url"
    text = read_secret_file(section, key, url_file) if url_file else _expand(section, section.text("url"), env)
    if text is None:
        if password_file:
            section.fail("password_file", "there is no 'url' that the password could belong to: add it")
        return None
    problem = _find_problem(text)
    if problem:
        section.fail(key, problem)
    if password_file:
        text = _insert_password(section, text, read_secret_file(section, "password_file", password_file))
    return Secret(text)


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
    try:
        port = urlsplit(text).port
    except ValueError:
        port = -1
    if port == -1:
        return "its host or port cannot be read: in a user or password write @ : / as %40 %3A %2F"
    return None if rest else "it ends after its scheme: add host and name"


def _expand(section: Section, template: str | None, env: Mapping[str, str]) -> str | None:
    if template is None:
        return None
    credentials_end = _find_credentials_end(template)

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if not _NAME.fullmatch(name):
            section.fail("url", "a reference is written ${NAME}, with the name of an environment variable")
        value = env.get(name, "")
        if not value:
            state = "empty" if name in env else "not set"
            section.fail("url", f"it refers to the environment variable {name}, which is {state}: set it")
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


def _insert_password(section: Section, url: str, password: str) -> str:
    scheme, _, rest = url.partition("://")
    ends = [position for position in (rest.find(mark) for mark in "/?#") if position >= 0]
    end = min(ends, default=len(rest))
    user, _, host = rest[:end].rpartition("@")
    if ":" in user:
        section.fail("password_file", "the URL holds a password already: keep one of them")
    return f"{scheme}://{user}:{quote(password, safe='')}@{host}{rest[end:]}"


def read_secret_file(section: Section, key: str, name: str) -> str:
    """The one line of a file that others can neither read nor write."""
    path = section.folder / Path(name).expanduser()
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(_LONGEST_SECRET_BYTES + 1)
    except OSError as exc:
        section.fail(key, f"the secret file {path} cannot be read ({exc.strerror}): check its name and its permissions")
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        section.fail(key, f"others can read the secret file {path} (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}")
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > _LONGEST_SECRET_BYTES or "\n" in text:
        section.fail(key, f"the secret file {path} must hold one line of UTF-8 text")
    return text
