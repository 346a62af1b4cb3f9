"""Finds secrets that stand in configuration files as they are: TOML, YAML, compose and .env files, line by line. Pure.

A secret that a line only refers to is none: `${NAME}`, `NAME_FILE`, `url_file`, a Docker secret, the keyring. A default within
a reference, `${NAME:-changeme}`, is one. Not read: values that go over several lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_KINDS_OF_KEYS: Final = "private|access|encryption|signing|credential|masking|mask|jwt"
_NAME: Final = rf"(?:[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|(?:{_KINDS_OF_KEYS})[_-]?key)|pwd|[\w-]*_pwd)"
_VALUE: Final = r"""(?P<value>"[^"\n]*"|'[^'\n]*'|\$\{[^}\n]*\}[^\s,}]*|[^\s,}#\n]+)"""
_ASSIGNED: Final = re.compile(rf"""(?<![\w.$\{{-])["']?(?P<key>{_NAME})["']?\s*(?:=|:(?=\s|["']))\s*{_VALUE}""", re.IGNORECASE)
_OPTION: Final = re.compile(
    r"""(?P<key>--(?:requirepass|masterauth|password|token|secret))(?:["']?[=,\s]+)["']?(?P<value>[^\s"',\]]+)""",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"""(?P<key>[A-Za-z][\w+.-]*)://[^\s/?#"'@]*:(?P<value>(?:\$\{[^}]*\}|[^\s/?#"'@])+)@""")
_NAMING_ONE: Final = r"[\w-]*(?:password|passwd|passphrase|pwd|secret|token|credentials?|auth|key|url|dsn)_file"
_FILE: Final = re.compile(
    rf"""^\s*(?:-\s*)?(?:export\s+)?["']?(?P<key>{_NAMING_ONE}|file)["']?\s*[=:]\s*["']?(?P<value>[^\s"'#]+)""", re.IGNORECASE
)
_SECTION: Final = re.compile(r"(?P<name>[\w.-]+):\s*(?:#.*)?$")
_BARE: Final = "file"
"""In a compose file's section of secrets; elsewhere it may be the name of anything."""
_REFERENCE: Final = re.compile(r"\$\{(?P<name>\w+)(?::?[?+][^}]*)?\}|\$\w+|\{\{.*\}\}|!\w+.*")
_DEFAULT: Final = re.compile(r"\$\{\w+:?-(?P<default>[^}]+)\}")
_NO_SECRETS: Final = frozenset({"", "true", "false", "yes", "no", "null", "none", "~", "on", "off", "|", ">", "[", "{"})


@dataclass(frozen=True, slots=True)
class Literal:
    """Where a secret stands. What it is is not kept."""

    line: int
    key: str


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that a line names as the place of a secret."""

    line: int
    key: str
    path: str


def find_literals(text: str) -> tuple[Literal, ...]:
    """Each line with a secret, once."""
    return tuple(
        Literal(number, key) for number, line in enumerate(text.splitlines(), 1) if (key := _find_in_line(line)) is not None
    )


def find_named_files(text: str) -> tuple[NamedFile, ...]:
    """The files that lines such as `key_file = "x"` and `PASSWORD_FILE: x` name, and `file: ./x` below `secrets:`."""
    return tuple(_iterate_named_files(text))


def _iterate_named_files(text: str) -> Iterator[NamedFile]:
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if (head := _SECTION.match(line)) is not None:
            section = head["name"]
        match = _FILE.match(line)
        if match and "$" not in match["value"] and (match["key"].lower() != _BARE or section == "secrets"):
            yield NamedFile(number, match["key"], match["value"])


def _find_in_line(line: str) -> str | None:
    if line.lstrip().startswith("#"):
        return None
    return next((match["key"] for match in _list_candidates(line) if _is_literal(match["value"])), None)


def _list_candidates(line: str) -> Iterator[re.Match[str]]:
    for pattern in (_URL, _ASSIGNED, _OPTION):
        yield from pattern.finditer(line)


def _is_literal(value: str) -> bool:
    bare = value.strip("\"'")
    default = _DEFAULT.fullmatch(bare)
    if default is not None:
        return bool(default["default"])
    return bare.lower() not in _NO_SECRETS and _REFERENCE.fullmatch(bare) is None
