"""SHA256SUMS: what every file of a run was when it was written, in the form that `sha256sum --check` reads."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jivsbench.errors import ConfigError

MANIFEST_FILENAME: Final = "SHA256SUMS"
_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")
_CHUNK_BYTES: Final = 1 << 20


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What SHA256SUMS says."""

    hashes: Mapping[str, str]
    """File names with their SHA-256."""
    damaged: tuple[str, ...]
    """Lines that name no file with its sum, by their number: of the file that one of them named nothing can be said."""


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None when it has none, as those of older versions. Raises ConfigError when it cannot be read."""
    file = folder / MANIFEST_FILENAME
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read ({exc.strerror}): check its permissions") from exc
    matches = [_LINE.fullmatch(line) for line in lines]
    damaged = tuple(f"line {number} of {MANIFEST_FILENAME}" for number, match in enumerate(matches, start=1) if not match)
    return Manifest({match[2]: match[1] for match in matches if match}, damaged)


def format_manifest(hashes: Mapping[str, str]) -> bytes:
    """The manifest's bytes, sorted by name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(hashes.items())).encode()


def hash_folder(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a run, the manifest and hidden files apart."""
    files = (path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST_FILENAME and path.name[0] != ".")
    return {path.name: hash_file(path) for path in files}


def find_changes(folder: Path, expected: Mapping[str, str]) -> dict[str, str]:
    """Files that are not what they were, with what is wrong; empty when every file of the manifest is as it was written."""
    changes = {}
    for name, digest in sorted(expected.items()):
        path = folder / name
        try:
            if Path(name).name != name or not path.is_file():
                changes[name] = "is missing"
            elif (found := hash_file(path)) != digest:
                changes[name] = f"has SHA-256 {found}, written was {digest}"
        except OSError as exc:
            changes[name] = f"cannot be read ({exc.strerror})"
    return changes
