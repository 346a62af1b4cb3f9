"""`sbom`: what this installation is made of, as CycloneDX. Read from what is installed, not from what a lock says should be."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
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
    needed = _find_needed(found)
    components = {name: _describe(one, is_needed=name in needed or not needed) for name, one in found.items()}
    bom = Bom(components=[one for name, one in components.items() if name != PROJECT])
    bom.metadata.component = components.get(PROJECT)
    for name, one in found.items():
        bom.register_dependency(components[name], [components[other] for other in _list_required(one) if other in components])
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
            found.setdefault(_normalize(known.read("Name")), known)
    return dict(sorted(found.items()))


def _find_needed(found: Mapping[str, _Installed]) -> frozenset[str]:
    """The host, its plugins, and all that they ask for."""
    left = [name for name, one in found.items() if any(point.group == PROJECT for point in one.distribution.entry_points)]
    seen: set[str] = set()
    while left:
        name = left.pop()
        if name in found and name not in seen:
            seen.add(name)
            left += _list_required(found[name])
    return frozenset(seen)


def _list_required(one: _Installed) -> Iterable[str]:
    for text in one.fields.get_all("Requires-Dist") or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        # Which extras somebody asked for is written down nowhere.
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            yield _normalize(wanted.name)


def _describe(one: _Installed, *, is_needed: bool) -> Component:
    name, version = _normalize(one.read("Name")), one.read("Version")
    record = one.distribution.read_text("RECORD")
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
        properties=[Property(name=_RECORD_DIGEST, value=_digest(record))] if record else [],
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
