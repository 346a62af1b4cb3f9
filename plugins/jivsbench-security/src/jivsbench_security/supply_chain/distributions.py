"""What is installed, read from the folders themselves: names, versions, lists of files, and what needs what."""

import base64
import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from jivsbench.api import PROJECT

_WEAK: Final = frozenset({"md5", "sha1"})
_THREADS: Final = 4
_LISTS: Final = ("/RECORD", "/RECORD.jws", "/RECORD.p7s")
_CODE: Final = (".py", ".so", ".pyd", ".dylib", ".pth")
_MADE_BY_VENV: Final = frozenset({"_virtualenv.py", "_virtualenv.pth"})


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed distribution. `origin` is from where, for one that came from no registry."""

    name: str
    version: str
    metadata: Path
    """The folder of its own description, `*.dist-info`."""
    requires: tuple[str, ...]
    is_of_host: bool
    """True for the host and what offers plugins to it."""
    origin: str | None
    is_editable: bool

    @property
    def folder(self) -> str:
        """The folder that it is installed in."""
        return str(self.metadata.parent)


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A line of a RECORD: `digest` is "algorithm=base64", or empty; the path is relative to the folder of packages."""

    distribution: Distribution
    name: str
    digest: str
    size_bytes: int

    @property
    def path(self) -> str:
        """Where it is."""
        return os.path.normpath(f"{self.distribution.folder}/{self.name}")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A file that is not what its RECORD says."""

    file: RecordedFile
    reason: str


def list_distributions(folders: Sequence[Path]) -> tuple[Distribution, ...]:
    """All distributions by their normal names, each once: the first, which is the one that Python imports."""
    found: dict[str, Distribution] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.dist-info")):
            described = _describe(metadata.Distribution.at(path), path)
            if described is not None:
                found.setdefault(described.name, described)
    return tuple(found[name] for name in sorted(found))


def _describe(one: metadata.Distribution, path: Path) -> Distribution | None:
    # Read once: each access parses the whole file again.
    fields = one.metadata
    if not fields["Name"]:
        return None
    try:
        origin = json.loads(one.read_text("direct_url.json") or "{}")
    except ValueError:
        origin = {"url": "an unreadable direct_url.json"}
    return Distribution(
        name=canonicalize_name(fields["Name"]),
        version=fields["Version"],
        metadata=path,
        requires=tuple(fields.get_all("Requires-Dist") or ()),
        is_of_host=any(point.group == PROJECT for point in one.entry_points),
        origin=origin.get("url"),
        is_editable=bool(origin.get("dir_info", {}).get("editable")),
    )


def find_needed(found: Sequence[Distribution]) -> tuple[Distribution, ...]:
    """The host, its plugins and what they ask for; all of them, when there is no host among them."""
    known = {one.name: one for one in found}
    left = [(one.name, "") for one in found if one.is_of_host]
    seen: set[tuple[str, str]] = set()
    while left:
        name, extra = left.pop()
        if (name, extra) not in seen and name in known:
            seen.add((name, extra))
            left += _list_required(known[name], extra)
    names = {name for name, _extra in seen}
    return tuple(one for one in found if one.name in names or not names)


def _list_required(one: Distribution, extra: str) -> Iterator[tuple[str, str]]:
    for text in one.requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
            yield canonicalize_name(wanted.name), ""
            yield from ((canonicalize_name(wanted.name), asked) for asked in wanted.extras)


def read_record(one: Distribution) -> tuple[RecordedFile, ...]:
    """The files of a distribution, but its list itself; none for one without a list."""
    try:
        text = (one.metadata / "RECORD").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    rows = (row for row in csv.reader(text.splitlines()) if len(row) > 2 and not row[0].endswith(_LISTS))  # noqa: PLR2004 - path, digest, size
    return tuple(RecordedFile(one, name, digest, int(size) if size.isdigit() else 0) for name, digest, size, *_ in rows)


def find_mismatches(files: Sequence[RecordedFile]) -> tuple[Mismatch, ...]:
    """The files that are not there, or whose content is another."""
    with ThreadPoolExecutor(_THREADS) as threads:
        found = threads.map(_compare, files)
        return tuple(Mismatch(file, reason) for file, reason in zip(files, found, strict=True) if reason)


def _compare(file: RecordedFile) -> str:
    algorithm, _, wanted = file.digest.partition("=")
    if algorithm in _WEAK or algorithm not in hashlib.algorithms_guaranteed:
        return f"its digest is {algorithm}, by which a file can be exchanged"
    try:
        with open(file.path, "rb") as stream:  # noqa: PTH123 - as above
            digest = hashlib.file_digest(stream, algorithm).digest()
    except OSError:
        return "it is not there"
    is_same = base64.urlsafe_b64encode(digest).decode().rstrip("=") == wanted.rstrip("=")
    return "" if is_same else "its content is not the one that was installed"


def find_strays(files: Sequence[RecordedFile]) -> tuple[str, ...]:
    """Code that no RECORD names: in the packages that these files are in, and where Python runs it at every start."""
    named = {file.path for file in files}
    folders = {file.distribution.folder for file in files}
    packages = {f"{file.distribution.folder}/{file.name.partition('/')[0]}" for file in files if "/" in file.name}
    inside = (
        f"{folder}/{name}"
        for package in sorted(packages)
        if not package.endswith("/..")
        for folder, _folders, names in os.walk(package)
        for name in names
        if name.endswith(_CODE)
    )
    at_start = (entry.path for folder in sorted(folders) for entry in os.scandir(folder) if _runs_at_start(entry.name))
    return tuple(path for path in (*inside, *at_start) if path not in named)


def list_start_hooks(found: Iterable[Distribution]) -> frozenset[str]:
    """What the distributions themselves have Python run at every start."""
    return frozenset(file.path for one in found for file in read_record(one) if _runs_at_start(file.name))


def _runs_at_start(name: str) -> bool:
    is_hook = name.endswith(".pth") or name in {"sitecustomize.py", "usercustomize.py"}
    return is_hook and name not in _MADE_BY_VENV
