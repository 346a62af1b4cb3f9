"""The folder of one run on disk. The only code that opens output files for reports.

A file appears under its name only when it is whole: written beside it, synced, renamed. Files and folders are for their owner
alone, under any umask, for they can hold the reproducer of an open hole.
"""

import errno
import json
import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from jivsbench.errors import ConfigError, OutputError
from jivsbench.model.metrics import find_metric
from jivsbench.model.record import FORMAT_VERSION, Plan, RunRecord, RunStart
from jivsbench.model.sample import OperationKind
from jivsbench.model.summary import Report
from jivsbench.private_folders import make_missing_folders
from jivsbench.report.manifest import MANIFEST_FILENAME, format_manifest, hash_folder, read_manifest
from jivsbench.report.run_file import RunFile, dump_plan, dump_start, parse_run, parse_start

RUN_FILENAME: Final = "run.json"
PLAN_FILENAME: Final = "plan.json"
START_FILENAME: Final = "start.json"
_LARGEST: Final = 1e300
_SHOWN: Final = 20
"""Digits of a number within a message."""
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def write_reports(folder: Path, reports: Iterable[Report]) -> None:
    """Write every report into the folder, which is made when it is missing. Raises OutputError naming the folder."""
    for report in reports:
        _write(folder, report.filename, report.content)


def write_plan(folder: Path, plan: Plan) -> None:
    """Write plan.json. Raises OutputError naming the folder."""
    _write(folder, PLAN_FILENAME, dump_plan(plan))


def write_start(folder: Path, start: RunStart) -> None:
    """Write start.json. Raises OutputError naming the folder."""
    _write(folder, START_FILENAME, dump_start(start))


def read_start(folder: Path) -> RunStart | None:
    """What a run wrote when its load began; None when it did not come that far. Raises ConfigError."""
    file = folder / START_FILENAME
    if not file.is_file():
        return None
    content = file.read_bytes()
    _check_version(file, content)
    try:
        return parse_start(content)
    except ValidationError as exc:
        raise ConfigError(f"{file}: {_name_field(exc)}: it was not written by jivsbench, or was changed since") from exc


def seal_folder(folder: Path, rendered: Collection[str]) -> None:
    """Write SHA256SUMS. What was measured keeps the hash that was taken first; only the files rendered now get a new one."""
    found = hash_folder(folder)
    manifest = read_manifest(folder)
    kept = {name: digest for name, digest in manifest.hashes.items() if name not in rendered} if manifest else {}
    _write(folder, MANIFEST_FILENAME, format_manifest({**found, **kept}))


def read_record(path: Path) -> RunRecord:
    """The record of a finished run, from its folder or its run.json. Raises ConfigError naming the file and what is wrong."""
    return read_run(path).record


def read_run(path: Path) -> RunFile:
    """The whole run.json of a finished run, from its folder or the file itself. Raises ConfigError like `read_record`."""
    file = path / RUN_FILENAME if path.is_dir() else path
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{file} does not exist: name the folder of a run that wrote its {RUN_FILENAME}") from None
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read ({exc.strerror}): check its permissions") from exc
    _check_version(file, content)
    try:
        run = parse_run(content)
    except ValidationError as exc:
        raise ConfigError(f"{file}: {_name_field(exc)}: it was not written by jivsbench, or was changed since") from exc
    problem = next(_find_unknown_names(run.record), None)
    if problem is not None:
        raise ConfigError(f"{file}: {problem}: it was not written by jivsbench, or was changed since")
    return run


def _find_unknown_names(record: RunRecord) -> Iterator[str]:
    """What every figure of a run hangs on, and its types do not say."""
    if not record.plan.profiles:
        yield "the plan has no profile"
    for arm in record.arms:
        calls = [f"{part.operation}.response" for part in arm.operations if part.kind is not OperationKind.JOB]
        for name in (*calls, *(found.metric for found in arm.windows)):
            if find_metric(name) is None:
                yield f"no metric is called {name!r}"


def _check_version(file: Path, content: bytes) -> None:
    """Only the version decides how to read the rest: a newer file says so instead of failing on some field or number."""
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError):
        raise ConfigError(f"{file} is not JSON: name a {RUN_FILENAME} that jivsbench wrote whole") from None
    version = found.get("format_version") if isinstance(found, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise ConfigError(f"{file} has no field format_version: it is not a {RUN_FILENAME} of jivsbench")
    refuse_newer(file, version, FORMAT_VERSION)
    odd = _find_odd_number(found)
    if odd is not None:
        raise ConfigError(
            f"{file} holds the number {_shorten(odd)}, which no measurement gives: it was not written by jivsbench, "
            "or was changed since"
        )


def refuse_newer(file: Path, version: int, known: int) -> None:
    """Raise ConfigError for a file of a version that is not known yet: nothing is wrong with it."""
    if version > known:
        raise ConfigError(
            f"{file} has format_version {_shorten(version)}, this jivsbench reads up to {known}: update jivsbench to read it"
        )


def _shorten(number: float) -> str:
    digits = str(number)
    return digits if len(digits) <= _SHOWN else f"{digits[:_SHOWN]}..."


def _find_odd_number(document: object) -> float | None:
    """A number that is none, or so large that computing with it fails: no reader converts such a one, and no run holds one."""
    found = [document]
    while found:
        value = found.pop()
        if isinstance(value, dict):
            found.extend(value.values())
        elif isinstance(value, list):
            found.extend(value)
        elif isinstance(value, int | float) and not abs(value) <= _LARGEST:
            return value
    return None


def _name_field(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    return f"field {field}: {first['msg'].lower()}"


def _write(folder: Path, filename: str, content: bytes) -> None:
    if Path(filename).name != filename or filename in ("", ".", ".."):
        raise OutputError(f"a reporter asked for the file name {filename!r}, which leads out of {folder}: use a plain name")
    try:
        make_missing_folders(folder)
        _replace(folder, filename, content)
    except OSError as exc:
        reason = "the disk is full" if exc.errno in _DISK_FULL else f"it cannot be written ({exc.strerror})"
        advice = "free some space" if exc.errno in _DISK_FULL else "choose another folder"
        raise OutputError(f"{filename} belongs into {folder}, but {reason}: {advice}") from exc


def _replace(folder: Path, filename: str, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{filename}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(folder / filename)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    _sync(folder)


def _sync(folder: Path) -> None:
    """A rename survives a power cut only when its folder is synced too; some file systems cannot, and that is no failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
