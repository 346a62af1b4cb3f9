"""calibration.json: what was found out about the noise of this machine, one entry a load."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from jivsbench.errors import ConfigError
from jivsbench.model.calibration import Calibration
from jivsbench.model.summary import Report
from jivsbench.report.bundle import refuse_newer, write_reports

CALIBRATION_FILENAME: Final = "calibration.json"
_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class CalibrationFile:
    """The whole file. It belongs to the user: it may be moved, kept apart or deleted."""

    format_version: int
    calibrations: tuple[Calibration, ...]


def read_calibrations(folder: Path) -> tuple[Calibration, ...]:
    """What the file in that folder holds; empty when there is none. Raises ConfigError when it cannot be read."""
    path = folder / CALIBRATION_FILENAME
    try:
        content = path.read_bytes()
        _check_version(path, content)
        return _adapter().validate_json(content, strict=True).calibrations
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValidationError) as exc:
        raise ConfigError(
            f"{path} cannot be read as calibrations of format_version {_VERSION} ({type(exc).__name__}): move it away and "
            "calibrate again"
        ) from exc


def write_calibration(folder: Path, new: Calibration) -> Path:
    """Add an entry; one of the same machine, profile and load is replaced. Returns the file."""
    kept = (old for old in read_calibrations(folder) if _identity(old) != _identity(new))
    content = _adapter().dump_json(CalibrationFile(_VERSION, (*kept, new)), indent=1) + b"\n"
    write_reports(folder, [Report("calibration", CALIBRATION_FILENAME, "application/json", content)])
    return folder / CALIBRATION_FILENAME


def _check_version(path: Path, content: bytes) -> None:
    """Only the version decides how to read the rest: a newer file is to be kept, whatever its fields are."""
    try:
        found: Any = json.loads(content)
    except (ValueError, RecursionError):
        return
    version = found.get("format_version") if isinstance(found, dict) else None
    if isinstance(version, int):
        refuse_newer(path, version, _VERSION)


def _identity(calibration: Calibration) -> tuple[object, ...]:
    return (
        calibration.machine,
        calibration.profile,
        calibration.workload,
        calibration.stages,
        calibration.source_label,
    )


@cache
def _adapter() -> TypeAdapter[CalibrationFile]:
    return TypeAdapter(CalibrationFile)
