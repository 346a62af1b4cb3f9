"""Files that pin what is installed: `uv.lock` and `requirements.txt`. Which versions with which hashes, and what has none."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

_OWN: Final = frozenset({"editable", "virtual", "directory"})
_HASHES: Final = ("sha256:", "sha384:", "sha512:")
_LONGEST: Final = 80
_INCLUDE: Final = re.compile(r"^(?:-r|--requirement)[\s=]\s*(?P<path>\S.*)$")
_OPTIONS: Final = (
    *("--hash", "--index-url", "--extra-index-url", "--find-links", "--trusted-host", "--require-hashes", "--only-binary"),
    *("--no-binary", "--no-index", "--prefer-binary", "--pre", "--use-pep517", "--constraint", "-i ", "-f ", "-c "),
)
"""Where and how an installer looks: with hashes no other place can bring anything else."""
_REQUIREMENT: Final = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^]]*])?\s*===?\s*(?P<version>[^\s;]+)")


@dataclass(frozen=True, slots=True)
class Pin:
    """One requirement of a lock. `problem`: in which way it pins nothing. `is_own`: a part of the project that has the lock."""

    name: str
    version: str
    problem: str | None = None
    is_own: bool = False


def read_lock(path: Path) -> tuple[Pin, ...]:
    """The requirements of a lock. Raises ValueError for a file that is none."""
    if path.suffix == ".lock":
        return tuple(_read_uv_lock(tomllib.loads(path.read_text("utf-8"))))
    return tuple(_read_requirements(path, frozenset()))


def _read_uv_lock(values: Mapping[str, Any]) -> Iterator[Pin]:
    for package in values.get("package", ()):
        source = package.get("source", {})
        name, version = canonicalize_name(package["name"]), str(package.get("version", ""))
        if _OWN & set(source):
            yield Pin(name, version, is_own=True)
        elif "git" in source:
            yield Pin(name, version, f"comes from a repository ({_name_place(source['git'])})")
        elif "url" in source:
            yield Pin(name, version, f"comes from a URL ({_name_place(source['url'])})")
        else:
            archives = [*([package["sdist"]] if "sdist" in package else []), *package.get("wheels", ())]
            is_hashed = bool(archives) and all(str(one.get("hash", "")).startswith(_HASHES) for one in archives)
            yield Pin(name, version, None if is_hashed else "has an archive without a SHA-256")


def _read_requirements(path: Path, read: frozenset[Path]) -> Iterator[Pin]:
    """Those of a list, and of the lists that it includes, each once."""
    for line in path.read_text("utf-8").replace("\\\n", " ").splitlines():
        wanted = re.sub(r"(^|\s)#.*$", "", line).strip()
        included = _INCLUDE.match(wanted)
        if included is not None:
            other = path.parent / included["path"].strip()
            if other.resolve() not in read | {path.resolve()}:
                yield from _read_requirements(other, read | {path.resolve()})
        elif wanted and not wanted.startswith(_OPTIONS):
            yield _read_requirement(wanted)


def _read_requirement(wanted: str) -> Pin:
    match = _REQUIREMENT.match(wanted)
    first = wanted.split(maxsplit=1)[0]
    if "://" in wanted.partition("--hash")[0]:
        return Pin(_name_place(first) if "://" in first else first[:_LONGEST], "", "comes from a URL or a repository")
    if match is None or "*" in match["version"]:
        return Pin(first[:_LONGEST], "", "is not pinned to one version")
    problem = None if any(f"--hash={one}" in wanted for one in _HASHES) else "has no SHA-256"
    return Pin(canonicalize_name(match["name"]), match["version"], problem)


def _name_place(url: object) -> str:
    """A URL without user, password, token and whatever else may be secret in it."""
    scheme, separator, rest = str(url).partition("://")
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"[:_LONGEST]
