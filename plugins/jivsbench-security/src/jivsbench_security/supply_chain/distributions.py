"""What is installed, read from the folders themselves: names, versions, lists of files, and what needs what."""

import base64
import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from jivsbench.api import PROJECT

_STRONG: Final = frozenset({"sha256", "sha384", "sha512"})
"""What the specification of RECORD allows."""
_THREADS: Final = 4
_LISTS: Final = ("/RECORD", "/RECORD.jws", "/RECORD.p7s")
_CODE: Final = (".py", ".so", ".pyd", ".dylib", ".pth")
_COMPILED: Final = ".pyc"
_CACHE: Final = "__pycache__"
_DESCRIPTIONS: Final = (".dist-info", ".egg-info")
_LEADING_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MADE_BY_VENV: Final = frozenset({"_virtualenv.py", "_virtualenv.pth"})


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed distribution. `origin` is from where, for one that came from no registry."""

    name: str
    version: str
    metadata: Path
    """Its own description: the folder `*.dist-info`, or what older installers left, a file or folder `*.egg-info`."""
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
        return os.path.normpath(os.path.join(self.distribution.folder, self.name))  # noqa: PTH118 - thousands of them

    @property
    def is_code(self) -> bool:
        """True for what Python may run. What it compiles itself, and compares with its source, is none."""
        return is_code(self.name)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A file that is not what its RECORD says."""

    file: RecordedFile
    reason: str


def list_distributions(folders: Sequence[Path]) -> tuple[Distribution, ...]:
    """All distributions by their normal names: those of the first folder that has one, which are what Python imports.

    One that lies twice in a folder is named twice: which of them the files belong to, nobody knows.
    """
    found: dict[str, list[Distribution]] = {}
    for folder in folders:
        paths = sorted(path for ending in _DESCRIPTIONS for path in folder.glob(f"*{ending}"))
        here = [_describe(metadata.Distribution.at(path), path) for path in paths]
        new = {one.name for one in here} - set(found)
        for one in here:
            if one.name in new:
                found.setdefault(one.name, []).append(one)
    return tuple(one for name in sorted(found) for one in found[name])


def _describe(one: metadata.Distribution, path: Path) -> Distribution:
    # Read once: each access parses the whole file again.
    fields = one.metadata
    # What does not say its name has it in that of its folder.
    name, _, version = path.stem.partition("-")
    origin = _read_origin(one)
    folder = origin.get("dir_info")
    return Distribution(
        name=canonicalize_name(fields["Name"] or name),
        version=fields["Version"] or version,
        metadata=path,
        requires=tuple(fields.get_all("Requires-Dist") or ()),
        is_of_host=any(point.group == PROJECT for point in one.entry_points),
        origin=str(origin["url"]) if "url" in origin else None,
        is_editable=isinstance(folder, dict) and bool(folder.get("editable")),
    )


def _read_origin(one: metadata.Distribution) -> dict[str, object]:
    """`direct_url.json`, which only what came from no registry has."""
    text = one.read_text("direct_url.json")
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"url": "an unreadable direct_url.json"}


def find_needed(found: Sequence[Distribution]) -> tuple[Distribution, ...]:
    """The host, its plugins and what they ask for; all of them, when there is no host among them."""
    known: dict[str, list[Distribution]] = {}
    for one in found:
        known.setdefault(one.name, []).append(one)
    left = [(one.name, "") for one in found if one.is_of_host]
    seen: set[tuple[str, str]] = set()
    while left:
        name, extra = left.pop()
        if (name, extra) not in seen and name in known:
            seen.add((name, extra))
            left += [asked for one in known[name] for asked in _list_required(one, extra)]
    names = {name for name, _extra in seen}
    return tuple(one for one in found if one.name in names or not names)


def _list_required(one: Distribution, extra: str) -> Iterator[tuple[str, str]]:
    for text in one.requires:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            # Older installers took what the specification does not know: what it asks for is needed all the same.
            found = _LEADING_NAME.match(text)
            if found is not None:
                yield canonicalize_name(found[0]), ""
            continue
        if _applies(wanted, extra):
            yield canonicalize_name(wanted.name), ""
            yield from ((canonicalize_name(wanted.name), asked) for asked in wanted.extras)


def _applies(wanted: Requirement, extra: str) -> bool:
    try:
        return wanted.marker is None or wanted.marker.evaluate({"extra": extra})
    except (UndefinedComparison, UndefinedEnvironmentName):
        return True


def read_record(one: Distribution) -> tuple[RecordedFile, ...]:
    """The files of a distribution, but its list itself; none for one without a list."""
    try:
        text = (one.metadata / "RECORD").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    rows = (row for row in csv.reader(io.StringIO(text)) if len(row) > 2 and not row[0].endswith(_LISTS))  # noqa: PLR2004 - path, digest, size
    return tuple(RecordedFile(one, name, digest, int(size) if size.isdigit() else 0) for name, digest, size, *_ in rows)


def find_mismatches(files: Sequence[RecordedFile]) -> tuple[Mismatch, ...]:
    """The files that are not there, or whose content is another."""
    with ThreadPoolExecutor(_THREADS) as threads:
        found = threads.map(_compare, files)
        return tuple(Mismatch(file, reason) for file, reason in zip(files, found, strict=True) if reason)


def _compare(file: RecordedFile) -> str:
    algorithm, _, wanted = file.digest.partition("=")
    if algorithm not in _STRONG:
        return f"its digest is {algorithm[:20] or 'left out'}, by which a file can be exchanged"
    try:
        with open(file.path, "rb") as stream:  # noqa: PTH123 - as above
            digest = hashlib.file_digest(stream, algorithm).digest()
    except OSError:
        return "it is not there"
    is_same = base64.urlsafe_b64encode(digest).decode().rstrip("=") == wanted.rstrip("=")
    return "" if is_same else "its content is not the one that was installed"


def find_resized(files: Sequence[RecordedFile]) -> tuple[Mismatch, ...]:
    """The files that are not there, or have another size than they had. Costs a look, whatever their size."""
    return tuple(Mismatch(file, reason) for file in files if (reason := _compare_size(file)))


def _compare_size(file: RecordedFile) -> str:
    try:
        size_bytes = os.stat(file.path).st_size  # noqa: PTH116 - as above
    except OSError:
        return "it is not there"
    return "" if size_bytes == file.size_bytes else "its size is not that of the one that was installed"


def find_strays(files: Sequence[RecordedFile], others: Iterable[RecordedFile] = ()) -> tuple[str, ...]:
    """Code that no RECORD names: in these files' packages, beside them by their names, and where Python runs it at every start.

    `others` are files of other distributions, which may share a package with them.
    """
    named = {file.path for file in (*files, *others)}
    tops: dict[str, set[str]] = {}
    for file in files:
        top = file.name.partition("/")[0]
        if top not in {"", ".."} and not top.endswith(_DESCRIPTIONS):
            tops.setdefault(file.distribution.folder, set()).add(top)
    inside = (
        f"{place}/{name}"
        for folder, inner in sorted(tops.items())
        for top in sorted(inner)
        for place, _folders, names in os.walk(f"{folder}/{top}")
        for name in names
        if is_code(f"{os.path.basename(place)}/{name}")  # noqa: PTH119 - as above
    )
    folders = {file.distribution.folder for file in files}
    beside = (
        entry.path
        for folder in sorted(folders)
        for entry in os.scandir(folder)
        if _runs_at_start(entry.name) or _is_imported_for(entry.name, tops.get(folder, set()))
    )
    return tuple(dict.fromkeys(path for path in (*inside, *beside) if path not in named))


def is_code(name: str) -> bool:
    """True for what Python may run, by a path of which the last two parts count."""
    folder, _, last = name.rpartition("/")
    return last.endswith(_CODE) or (last.endswith(_COMPILED) and not folder.endswith(_CACHE))


def _is_imported_for(name: str, tops: Collection[str]) -> bool:
    """True for a module beside packages and modules of the same name: `six.so` comes before `six.py`."""
    module = name.partition(".")[0]
    return is_code(name) and any(module == top.partition(".")[0] for top in tops)


def _runs_at_start(name: str) -> bool:
    is_hook = name.endswith(".pth") or name in {"sitecustomize.py", "usercustomize.py"}
    return is_hook and name not in _MADE_BY_VENV
