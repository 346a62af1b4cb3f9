"""Files that pin what is installed: `uv.lock` and `requirements.txt`. Which versions with which hashes, and what has none."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name

_OWN: Final = frozenset({"editable", "virtual", "directory"})
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
    text = path.read_text("utf-8")
    return tuple(_read_uv_lock(tomllib.loads(text)) if path.suffix == ".lock" else _read_requirements(text))


def _read_uv_lock(values: Mapping[str, Any]) -> Iterator[Pin]:
    for package in values.get("package", ()):
        source = package.get("source", {})
        name, version = canonicalize_name(package["name"]), str(package.get("version", ""))
        if _OWN & set(source):
            yield Pin(name, version, is_own=True)
        elif "git" in source:
            yield Pin(name, version, f"comes from a repository ({source['git']})")
        elif "url" in source:
            yield Pin(name, version, f"comes from a URL ({source['url']})")
        else:
            archives = [*([package["sdist"]] if "sdist" in package else []), *package.get("wheels", ())]
            is_hashed = bool(archives) and all(str(one.get("hash", "")).startswith("sha256:") for one in archives)
            yield Pin(name, version, None if is_hashed else "has an archive without a SHA-256")


def _read_requirements(text: str) -> Iterator[Pin]:
    for line in text.replace("\\\n", " ").splitlines():
        wanted = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not wanted or wanted.startswith(("--hash", "--index-url", "--require-hashes", "-i ", "--only-binary", "--no-binary")):
            continue
        match = _REQUIREMENT.match(wanted)
        if "://" in wanted.partition("--hash")[0]:
            yield Pin(wanted.split()[0][:80], "", "comes from a URL or a repository")
        elif match is None:
            yield Pin(wanted.split()[0][:80], "", "is not pinned to one version")
        else:
            problem = None if "--hash=sha256:" in wanted else "has no SHA-256"
            yield Pin(canonicalize_name(match["name"]), match["version"], problem)
