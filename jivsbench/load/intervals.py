"""Reads and writes intervals.jsonl: one interval a line."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, Final

from pydantic import TypeAdapter, ValidationError

from jivsbench.errors import InvalidRunError
from jivsbench.model.sample import Interval

INTERVALS_FILENAME: Final = "intervals.jsonl"


def open_for_owner(path: Path) -> IO[bytes]:
    """A new file for lines that are measured, unbuffered, for the owner alone under any umask. Raises OSError."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb", buffering=0)


def format_interval(interval: Interval) -> bytes:
    """One line, with its end."""
    return _adapter().dump_json(interval) + b"\n"


def prepare_format() -> None:
    """Build what `format_interval` needs, which takes 0.1 s: before the load, not in its first second."""
    _adapter()


def parse_interval(line: bytes) -> Interval:
    """Raises ValueError for a line that is no interval."""
    return _adapter().validate_json(line)


def read_intervals(path: Path, *, is_cut_off: bool = False) -> Iterator[Interval]:
    """The intervals of a file, one at a time: a long run's file does not fit into memory as values.

    Of a run that was cut off the last line may be a part of one, and is left out. Raises InvalidRunError naming the file
    and the line that cannot be read, or saying that there is no file.
    """
    adapter = _adapter()
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if is_cut_off and not line.endswith(b"\n"):
                    return
                try:
                    yield adapter.validate_json(line)
                except ValidationError as exc:
                    raise InvalidRunError(
                        f"line {number} of {path} is not an interval: the file was cut short or changed; measure again"
                    ) from exc
    except FileNotFoundError as exc:
        raise InvalidRunError(f"the samples of the run should be in {path}, and there is no such file: measure again") from exc


@cache
def _adapter() -> TypeAdapter[Interval]:
    return TypeAdapter(Interval)
