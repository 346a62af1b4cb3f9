"""`sbom`: what this installation is made of, as CycloneDX. Read from what is installed, not from what a lock says should be."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from jivsbench.api import PROJECT
from jivsbench.errors import ConfigError, OutputError

_LONGEST_LICENSE: Final = 120
"""Some put the whole text of their licence where its name belongs."""
_RECORD_DIGEST: Final = "jivsbench:record-sha256"


@dataclass(frozen=True, slots=True)
class _Installed:
    """A distribution, and its metadata, which would be parsed anew each time."""

    distribution: metadata.Distribution
    fields: metadata.PackageMetadata

    def read(self, name: str) -> str:
        return self.fields[name] if name in self.fields else ""  # noqa: SIM401 - the type of metadata promises no `get`


def build_sbom(folders: Sequence[Path]) -> str:
    """The components in some folders as CycloneDX 1.6 JSON. Raises ConfigError when nothing is installed there.

    What the host and its plugins need is required, whatever else lies there is optional. Each component has the digest of its
    list of files (RECORD), which in turn holds the digest of each of them.
    """
    found = _read_distributions(folders)
    if not found:
        raise ConfigError(f"no distribution is installed in {', '.join(map(str, folders))}: name a folder like site-packages")
    needed = _follow(found, _find_plugins(found))
    components = {name: _describe(one, is_needed=name in needed or not needed) for name, one in found.items()}
    bom = Bom(components=[one for name, one in components.items() if name != PROJECT])
    bom.metadata.component = components.get(PROJECT)
    for name, extras in _follow(found, found).items():
        wanted = dict.fromkeys(canonicalize_name(one.name) for one in _list_required(found[name], extras))
        bom.register_dependency(components[name], [components[other] for other in wanted if other in components])
    return JsonV1Dot6(bom).output_as_string(indent=2)


def write_sbom(text: str, path: Path) -> None:
    """Raises OutputError."""
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as exc:
        raise OutputError(
            f"the list of components was to be written to {path}, which cannot be written ({exc.strerror})"
        ) from exc


def _read_distributions(folders: Sequence[Path]) -> Mapping[str, _Installed]:
    """By normal name, sorted; where one is there twice, the first, which is the one that Python imports."""
    found: dict[str, _Installed] = {}
    for one in metadata.distributions(path=[str(folder) for folder in folders]):
        known = _Installed(one, one.metadata)
        if known.read("Name"):
            found.setdefault(canonicalize_name(known.read("Name")), known)
    return dict(sorted(found.items()))


def _find_plugins(found: Mapping[str, _Installed]) -> list[str]:
    """The host and its plugins."""
    return [name for name, one in found.items() if any(point.group == PROJECT for point in one.distribution.entry_points)]


def _follow(found: Mapping[str, _Installed], roots: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """What some distributions need, themselves included, by name, each with the extras of it that are asked for.

    Which extras of a root somebody asked for is written down nowhere.
    """
    asked: dict[str, frozenset[str]] = {}
    left = [(name, frozenset({""})) for name in roots]
    while left:
        name, extras = left.pop()
        known = asked.get(name, frozenset())
        if name in found and not extras <= known:
            asked[name] = known | extras
            left += [
                (canonicalize_name(one.name), frozenset({"", *one.extras})) for one in _list_required(found[name], asked[name])
            ]
    return asked


def _list_required(one: _Installed, extras: Iterable[str]) -> Iterator[Requirement]:
    for text in one.fields.get_all("Requires-Dist") or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras):
            yield wanted


def _describe(one: _Installed, *, is_needed: bool) -> Component:
    name, version = canonicalize_name(one.read("Name")), one.read("Version")
    record = _read_record(one.distribution)
    declared = one.read("License-Expression") or one.read("License")
    return Component(
        name=name,
        version=version,
        type=ComponentType.APPLICATION if name == PROJECT else ComponentType.LIBRARY,
        purl=PackageURL("pypi", None, name, version),
        bom_ref=f"{name}=={version}",
        description=one.read("Summary") or None,
        scope=ComponentScope.REQUIRED if is_needed else ComponentScope.OPTIONAL,
        licenses=[LicenseFactory().make_from_string(declared)] if 0 < len(declared) <= _LONGEST_LICENSE else [],
        # As a property: the digest of the component itself would be that of its wheel, which is not here any more.
        properties=[Property(name=_RECORD_DIGEST, value=hashlib.sha256(record).hexdigest())] if record else [],
    )


def _read_record(distribution: metadata.Distribution) -> bytes | None:
    """The list of files as it lies on disk: read as a text, its line ends would not be those that were digested elsewhere."""
    lists = (file for file in distribution.files or () if file.name == "RECORD" and file.parent.suffix == ".dist-info")
    found = next(lists, None)
    return None if found is None else Path(str(found.locate())).read_bytes()
