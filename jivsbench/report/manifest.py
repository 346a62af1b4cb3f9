"""SHA256SUMS: what every file of a run was when it was written, in the form that `sha256sum --check` reads."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

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


def read_manifest(folder: Path) -> dict[str, str] | None:
    """File names with their SHA-256; None when the folder has no manifest, as those of older versions."""
    try:
        lines = (folder / MANIFEST_FILENAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    return {match[2]: match[1] for line in lines if (match := _LINE.fullmatch(line))}


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
        if Path(name).name != name or not path.is_file():
            changes[name] = "is missing"
        elif (found := hash_file(path)) != digest:
            changes[name] = f"has SHA-256 {found}, written was {digest}"
    return changes
