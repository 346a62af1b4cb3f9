"""Advisories in the OSV format, from files that the user brings: which installed distributions they are about."""

import json
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from jivsbench.model.finding import Severity
from jivsbench_security.supply_chain.severities import read_severity

_MOST_BYTES: Final = 64 << 20
"""Of one file; the advisories of a whole registry come as many small ones in an archive."""
_MOST_RECORDS: Final = 1_000_000
_ECOSYSTEM: Final = "PyPI"


@dataclass(frozen=True, slots=True)
class Match:
    """An advisory that an installed version is affected by. `severity` is None when neither it nor an alias states one."""

    advisory: str
    name: str
    version: str
    severity: Severity | None
    fixed_in: str | None


class AdvisoryBase:
    """The advisories about Python packages."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        self._severities: dict[str, Severity] = {}
        self._parts: list[tuple[int, datetime | None]] = [(0, None)]
        """Of each file, folder or archive: how many, and the youngest."""

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(count for count, _ in self._parts)

    @property
    def newest(self) -> datetime | None:
        """When the youngest advisory of the largest part was written or changed: at least so old is the base.

        One advisory of today beside a base of last year makes that one no younger.
        """
        return max(self._parts, key=lambda part: part[0])[1]

    def begin_part(self) -> None:
        """What comes from here on is from another file, folder or archive."""
        self._parts.append((0, None))

    def add(self, record: object) -> None:
        """Take in one record; what is about another ecosystem, or no record, is passed over."""
        if not isinstance(record, Mapping) or not isinstance(record.get("id"), str):
            return
        names = {canonicalize_name(str(one["package"].get("name", ""))) for one in _list_affected(record)}
        if not names:
            return
        count, newest = self._parts[-1]
        known = [one for one in (newest, _read_moment(record.get("modified"))) if one is not None]
        self._parts[-1] = count + 1, max(known, default=None)
        severity = read_severity(record)
        if severity is not None:
            for one in _list_ids(record):
                self._severities[one] = max(severity, self._severities.get(one, severity), key=lambda stated: stated.weight)
        if not record.get("withdrawn"):
            for name in names:
                self._by_name[name].append(record)

    def match(self, name: str, version: str) -> Iterator[Match]:
        """The advisories about a version. Raises InvalidVersion for one that PyPI could not have."""
        installed = Version(version)
        for record in self._by_name.get(name, ()):
            for affected in _list_affected(record):
                if canonicalize_name(str(affected["package"].get("name", ""))) == name and _is_affected(
                    affected, version, installed
                ):
                    yield Match(record["id"], name, version, self._find_severity(record), _find_fix(affected, installed))
                    break

    def has(self, name: str) -> bool:
        """True when any advisory is about the package, in whatever version."""
        return name in self._by_name

    def _find_severity(self, record: Mapping[str, Any]) -> Severity | None:
        stated = [self._severities[one] for one in _list_ids(record) if one in self._severities]
        return max(stated, key=lambda one: one.weight, default=None)


def read_advisories(paths: Iterable[Path]) -> AdvisoryBase:
    """All records in files, folders and zip archives of JSON. Raises ValueError and OSError for what cannot be read."""
    base = AdvisoryBase()
    for path in paths:
        base.begin_part()
        try:
            _read_into(base, path)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, KeyError, AttributeError, TypeError) as problem:
            raise ValueError(f"{path.name} is not in the OSV format ({type(problem).__name__})") from problem
    return base


def _read_into(base: AdvisoryBase, path: Path) -> None:
    for text in _read_texts(path):
        value = json.loads(text)
        for record in value if isinstance(value, list) else [value]:
            base.add(record)
            if base.count > _MOST_RECORDS:
                raise ValueError(f"more than {_MOST_RECORDS} advisories")


def _read_texts(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in {".json", ".zip"}:
                yield from _read_texts(file)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".json"):
                    _check_size(entry.filename, entry.file_size)
                    yield archive.read(entry)
    else:
        _check_size(path.name, path.stat().st_size)
        yield path.read_bytes()


def _check_size(name: str, size_bytes: int) -> None:
    if size_bytes > _MOST_BYTES:
        raise ValueError(f"{name} has more than {_MOST_BYTES >> 20} MiB")


def _list_ids(record: Mapping[str, Any]) -> tuple[str, ...]:
    return record["id"], *(record.get("aliases") or ())


def _list_affected(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found = [one for one in record.get("affected") or () if isinstance(one, Mapping) and isinstance(one.get("package"), Mapping)]
    return [one for one in found if str(one["package"].get("ecosystem", "")).partition(":")[0] == _ECOSYSTEM]


def _is_affected(affected: Mapping[str, Any], text: str, version: Version) -> bool:
    """The specification's evaluation: named among the versions, or within one of the ranges.

    A local build (`2.0+cpu`) is affected as the version that it was built from.
    """
    versions = {version, Version(version.public)}
    if any(one == text or _read_version(one) in versions for one in affected.get("versions") or ()):
        return True
    return any(
        _is_within(one.get("events") or (), version) for one in affected.get("ranges") or () if one.get("type") == "ECOSYSTEM"
    )


def _is_within(events: Iterable[Mapping[str, str]], version: Version) -> bool:
    found = [(_read_version(text) or _place(kind), kind) for event in events for kind, text in event.items()]
    placed = [(place, kind) for place, kind in found if place is not None]
    is_affected = False
    for place, kind in sorted(placed, key=lambda one: (one[0], one[1] != "introduced")):
        if kind == "introduced" and version >= place:
            is_affected = True
        elif (kind == "fixed" and version >= place) or (kind == "last_affected" and version > place):
            is_affected = False
    return is_affected


def _find_fix(affected: Mapping[str, Any], version: Version) -> str | None:
    """The first version above that is no longer affected."""
    events = [
        event for one in affected.get("ranges") or () if one.get("type") == "ECOSYSTEM" for event in one.get("events") or ()
    ]
    fixes = [place for event in events if (place := _read_version(event.get("fixed", ""))) is not None and place > version]
    return str(min(fixes)) if fixes else None


def _place(kind: str) -> Version | None:
    """Where something begins that no version of PyPI names: at the first of all. Where it ends stays unknown."""
    return Version("0.dev0") if kind == "introduced" else None


def _read_version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _read_moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
