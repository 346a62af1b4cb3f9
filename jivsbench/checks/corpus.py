"""Payloads out of files that a user brings: one payload a line."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jivsbench.errors import ConfigError

_MOST_BYTES: Final = 16 << 20
_MOST_PAYLOADS: Final = 100_000
_LONGEST_CHARACTERS: Final = 4_096


def read_corpus(path: Path) -> tuple[str, ...]:
    """The distinct lines of a file, or of all files of a folder, in their order; none that is empty or over 4,096 characters.

    Bytes that are no UTF-8 become lone surrogates, as JSON can send them. Raises ConfigError for a path that cannot be read,
    is too large, or holds nothing.
    """
    try:
        files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
        payloads = tuple(dict.fromkeys(payload for file in files for payload in _read_lines(file)))
    except OSError as exc:
        raise ConfigError(f"the corpus {path} cannot be read ({exc.strerror}): name a file or a folder of files") from exc
    if not payloads:
        raise ConfigError(f"the corpus {path} holds no payload: write one a line")
    if len(payloads) > _MOST_PAYLOADS:
        raise ConfigError(f"the corpus {path} holds {len(payloads)} payloads, more than {_MOST_PAYLOADS}: name a part of it")
    return payloads


def _read_lines(file: Path) -> Iterator[str]:
    with file.open("rb") as stream:
        facts = os.fstat(stream.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST_BYTES:
            raise ConfigError(f"the corpus file {file} is no file of up to {_MOST_BYTES >> 20} MiB: split it")
        content = stream.read(_MOST_BYTES + 1)
    for line in content.decode("utf-8", "surrogateescape").split("\n"):
        payload = line.removesuffix("\r")
        if payload and len(payload) <= _LONGEST_CHARACTERS:
            yield payload
