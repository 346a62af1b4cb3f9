"""Advisories in the OSV format, from files that the user brings: which installed distributions they are about."""

import json
import zipfile
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
        self.count = 0
        self.newest: datetime | None = None
        """When the youngest of them was written or changed: at least so old is the base."""

    def add(self, record: object) -> None:
        """Take in one record; what is about another ecosystem, or no record, is passed over."""
        if not isinstance(record, Mapping) or not isinstance(record.get("id"), str):
            return
        names = {canonicalize_name(str(one["package"].get("name", ""))) for one in _list_affected(record)}
        if not names:
            return
        self.count += 1
        changed = _read_moment(record.get("modified"))
        self.newest = max((one for one in (self.newest, changed) if one is not None), default=None)
        severity = read_severity(record)
        if severity is not None:
            for known in (record["id"], *record.get("aliases", ())):
                self._severities[known] = max(severity, self._severities.get(known, severity), key=lambda one: one.weight)
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
        stated = [self._severities[one] for one in (record["id"], *record.get("aliases", ())) if one in self._severities]
        return max(stated, key=lambda one: one.weight, default=None)


def read_advisories(paths: Iterable[Path]) -> AdvisoryBase:
    """All records in files, folders and zip archives of JSON. Raises ValueError for what cannot be read."""
    base = AdvisoryBase()
    for path in paths:
        for text in _read_texts(path):
            value = json.loads(text)
            for record in value if isinstance(value, list) else [value]:
                base.add(record)
                if base.count > _MOST_RECORDS:
                    raise ValueError(f"more than {_MOST_RECORDS} advisories")
    return base


def _read_texts(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield from _read_texts(file)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".json") and entry.file_size <= _MOST_BYTES:
                    yield archive.read(entry)
    elif path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path.name} has more than {_MOST_BYTES >> 20} MiB")
    else:
        yield path.read_bytes()


def _list_affected(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found = [one for one in record.get("affected") or () if isinstance(one, Mapping) and isinstance(one.get("package"), Mapping)]
    return [one for one in found if str(one["package"].get("ecosystem", "")).partition(":")[0] == _ECOSYSTEM]


def _is_affected(affected: Mapping[str, Any], text: str, version: Version) -> bool:
    """The specification's evaluation: named among the versions, or within one of the ranges."""
    if any(one == text or _read_version(one) == version for one in affected.get("versions") or ()):
        return True
    return any(
        _is_within(one.get("events") or (), version) for one in affected.get("ranges") or () if one.get("type") == "ECOSYSTEM"
    )


def _is_within(events: Iterable[Mapping[str, str]], version: Version) -> bool:
    placed = [(place, kind) for event in events for kind, text in event.items() if (place := _read_version(text)) is not None]
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
