"""Reads and writes intervals.jsonl: one interval a line."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from jivsbench.errors import InvalidRunError
from jivsbench.model.sample import Interval

INTERVALS_FILENAME: Final = "intervals.jsonl"


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
