"""SEC-032: what is installed is what was locked, file by file, and can be listed."""

import json
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name, canonicalize_version

from jivsbench.api import CheckContext, Installation, TargetVariant
from jivsbench.model.finding import Finding, Severity
from jivsbench_security.inspection import InspectingCheck, Inspection
from jivsbench_security.supply_chain.distributions import (
    Distribution,
    RecordedFile,
    find_mismatches,
    find_needed,
    find_resized,
    find_strays,
    list_distributions,
    read_record,
)
from jivsbench_security.supply_chain.lock_files import Pin, read_lock

_FAST_BYTES: Final = 256 << 10
"""Larger files are compiled libraries for the most part, and most of the bytes; they are for the full form."""
_LIST_TIMEOUT_S: Final = 60.0
_PLANTS: Final = "jivsbench.testing.vulnerable.installed_files"


@dataclass(frozen=True, slots=True)
class _Fault:
    """One thing that is wrong, and where."""

    title: str
    evidence: str
    place: str


class InstalledFilesCheck(InspectingCheck):
    """Compares files with the RECORDs they were installed with, those with the lock, and both with the list of components."""

    id = "SEC-032"
    title = "Every installed file is the one that was locked, and every component is listed"
    severity = Severity.MEDIUM
    cwe = ("CWE-494", "CWE-353", "CWE-829")
    # A file changed after it was installed, one that nobody installed, and a lock with a requirement from a repository.
    vulnerable = TargetVariant("vulnerable-files", installations=(f"{_PLANTS}:plant_tampered",))
    sound_installations = (f"{_PLANTS}:plant_sound",)

    def _inspect(self, context: CheckContext) -> Inspection:
        place = context.installation
        found = list_distributions(place.packages)
        needed = find_needed(found)
        if not found:
            return Inspection(0, 0, "", untested="no installed distribution was found: the target is not installed as a package")
        files = [file for one in needed for file in read_record(one)]
        hashed = [file for file in files if file.digest and (context.is_full or file.size_bytes < _FAST_BYTES)]
        pins, unpinned = _read_locks(place.locks)
        with ThreadPoolExecutor(1) as beside:
            listed = beside.submit(make_list, place, context.make_folder())
            faults = (*_judge_files(files, hashed, found, needed), *_judge_origins(needed), *_judge_pins(needed, pins))
            try:
                faults, unlisted = (*faults, *_judge_list(found, listed.result())), None
            except subprocess.TimeoutExpired:
                unlisted = f"`jivsbench sbom` had not listed the components after {_LIST_TIMEOUT_S:g} s"
        tried = len(hashed) + len(pins) + len(found)
        return Inspection(
            attempted=tried,
            reached=tried if unlisted is None else tried - len(found),
            reason=_describe(needed, files, hashed, pins, len(found)),
            findings=tuple(self._build_finding(fault) for fault in faults),
            untested=unlisted or unpinned,
        )

    def _build_finding(self, fault: _Fault) -> Finding:
        return Finding(self.id, self.severity, fault.title, fault.evidence, fault.place)


def _read_locks(paths: Sequence[Path]) -> tuple[list[Pin], str | None]:
    """What the locks pin, and why they say nothing of what is installed, when there is such a reason."""
    if not paths:
        return [], "files match their RECORDs; there is no uv.lock or requirements.txt beside"
    try:
        pins = [pin for path in paths for pin in read_lock(path)]
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as problem:
        return [], f"files match their RECORDs; a lock beside cannot be read ({type(problem).__name__})"
    return pins, None if pins else f"files match their RECORDs; {', '.join(path.name for path in paths)} names no requirement"


def _describe(
    needed: Sequence[Distribution],
    files: Sequence[RecordedFile],
    hashed: Sequence[RecordedFile],
    pins: Sequence[Pin],
    listed: int,
) -> str:
    own = sum(one.is_editable for one in needed)
    left = sum(bool(file.digest) for file in files) - len(hashed)
    return (
        f"{len(hashed)} files of {len(needed) - own} distributions compared with their RECORD"
        f"{f' ({left} large ones by their size alone, the rest is left to the full form)' if left else ''}; "
        f"what Python compiled itself is not compared; {own} editable ones have no digests; "
        f"{sum(pin.problem is None for pin in pins)} of {len(pins)} locked requirements are the project's own or have a SHA-256; "
        f"{listed} distributions looked for in the CycloneDX list"
    )


def _judge_files(
    files: Sequence[RecordedFile], hashed: Sequence[RecordedFile], found: Sequence[Distribution], needed: Sequence[Distribution]
) -> Iterator[_Fault]:
    looked_at = {file.path for file in hashed}
    bare_code = [file for file in files if file.is_code and not file.digest]
    large = [file for file in files if file.digest and file.path not in looked_at]
    for wrong in (*find_mismatches([*hashed, *bare_code]), *find_resized(large)):
        one = wrong.file.distribution
        yield _Fault(
            "an installed file is not the one that was installed",
            f"{one.name} {one.version}: {wrong.file.name}: {wrong.reason}",
            wrong.file.name,
        )
    others = [file for one in found if one not in needed for file in read_record(one)]
    for path in find_strays(files, others):
        yield _Fault(
            "code lies among the installed files that no distribution brought",
            f"no RECORD names {Path(path).name}",
            Path(path).name,
        )
    bare = {one.name for one in needed if not one.is_editable} - {file.distribution.name for file in files}
    for name in sorted(bare):
        yield _Fault("a distribution came without a list of its files", f"{name} has no RECORD", name)


def _judge_origins(needed: Iterable[Distribution]) -> Iterator[_Fault]:
    for one in needed:
        if one.origin is not None and not one.is_editable and not one.is_of_host:
            yield _Fault(
                "a distribution did not come from a registry",
                f"{one.name} {one.version} came from {one.origin.partition('://')[0]}://",
                one.name,
            )


def _judge_pins(needed: Sequence[Distribution], pins: Sequence[Pin]) -> Iterator[_Fault]:
    for pin in pins:
        if pin.problem is not None:
            yield _Fault("a requirement is not pinned with a hash", f"{pin.name} {pin.version} {pin.problem}", pin.name)
    locked = {(pin.name, canonicalize_version(pin.version)) for pin in pins}
    for one in needed:
        if pins and not one.is_editable and not one.is_of_host and not _is_locked(one, locked):
            yield _Fault(
                "what is installed is not what is locked", f"{one.name} {one.version} is installed and not in the lock", one.name
            )


def _is_locked(one: Distribution, locked: Collection[tuple[str, str]]) -> bool:
    """A local build (`2.0+cpu`) is what the lock says when its index has it under the plain number too."""
    versions = one.version, one.version.partition("+")[0]
    return any((one.name, canonicalize_version(version)) in locked for version in versions)


def _judge_list(found: Sequence[Distribution], listed: frozenset[tuple[str, str]] | None) -> Iterator[_Fault]:
    if listed is None:
        yield _Fault("the list of components cannot be made", "`jivsbench sbom` did not print CycloneDX 1.6", "jivsbench sbom")
        return
    for one in found:
        if (one.name, one.version) not in listed:
            yield _Fault(
                "a component is not listed", f"{one.name} {one.version} is installed and not in the list", "jivsbench sbom"
            )


def make_list(place: Installation, folder: Path) -> frozenset[tuple[str, str]] | None:
    """Names and versions that `jivsbench sbom` lists; None when it lists nothing that is CycloneDX 1.6. Raises TimeoutExpired."""
    options = [text for one in place.packages for text in ("--packages", str(one))]
    try:
        made = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "jivsbench", "sbom", *options],
            capture_output=True,
            cwd=folder,
            timeout=_LIST_TIMEOUT_S,
            check=False,
        )
        values = json.loads(made.stdout)
        if values["bomFormat"] != "CycloneDX" or values["specVersion"] != "1.6":
            return None
        components = [*values["components"], *([values["metadata"]["component"]] if "component" in values["metadata"] else [])]
        return frozenset((canonicalize_name(one["name"]), str(one["version"])) for one in components)
    except (ValueError, KeyError, TypeError):
        return None
