"""The files of an audit trail: the one that is written to, `trail-KEY.jsonl`, and full ones, `trail-KEY.000001.jsonl` and so on.

The chain goes through all of them. What is full is never written to again, and may be moved away.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jivsbench.errors import ConfigError

_NO_KEY: Final = "no-key"
_NAME: Final = re.compile(r"trail-([0-9a-f]{16}|no-key)(?:\.(\d{6,}))?\.jsonl")
_USUAL_LINE_BYTES: Final = 65_536


def name_trail(key_id: str | None) -> str:
    """The file that lines signed with that key are written to."""
    return f"trail-{key_id or _NO_KEY}.jsonl"


def find_key_id(path: Path) -> str | None:
    """The credential key that signs the lines of a trail, by its file's name; None when none does. Raises ConfigError."""
    key, _ = _read_name(path)
    return None if key == _NO_KEY else key


def list_full(path: Path) -> tuple[Path, ...]:
    """The full files of a trail in their order: all of them, or for one that is full itself those before it."""
    key, number = _read_name(path)
    matches = [(match, other) for other in path.parent.iterdir() if (match := _NAME.fullmatch(other.name))]
    full = {int(match[2]): other for match, other in matches if match[1] == key and match[2]}
    return tuple(full[place] for place in sorted(full) if number is None or place < number)


def name_full(path: Path) -> Path:
    """The name that the file which is written to gets when it is full."""
    full = list_full(path)
    number = (_read_name(full[-1])[1] or 0) + 1 if full else 1
    return path.with_name(f"{path.stem}.{number:06d}.jsonl")


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a trail from its first file that is there to this one, also while a service goes on to its next file."""
    # Opened first: it may be full, and have another name, before the others are read.
    with path.open("rb") as last:
        for file in list_full(path):
            if not os.path.samestat(file.stat(), os.fstat(last.fileno())):
                with file.open("rb") as lines:
                    yield from lines
        yield from last


def read_last_line(descriptor: int) -> bytes:
    """The last line of a file, with its end if it has one; empty for an empty file."""
    size = os.fstat(descriptor).st_size
    length = _USUAL_LINE_BYTES
    while True:
        start = max(size - length, 0)
        tail = os.pread(descriptor, size - start, start)
        begin = tail[:-1].rfind(b"\n") + 1
        if begin or not start:
            return tail[begin:]
        # The first line of a service names each of its sources, of which there may be thousands.
        length *= 8


def _read_name(path: Path) -> tuple[str, int | None]:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ConfigError(
            f"{path} is not named as an audit trail is: give the file as the service named it, trail-KEY.jsonl or "
            "trail-KEY.NUMBER.jsonl"
        )
    return match[1], int(match[2]) if match[2] else None
