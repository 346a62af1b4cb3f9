"""Installations for SEC-032: one as it was locked, and one that was tampered with."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jivsbench.api import Installation

_FILES: Final = {"acme_rows/__init__.py": "LIMIT = 1\n", "acme_rows/rules.py": "NAMES = ('a', 'b')\n"}
PINNED: Final = f"""source = {{ registry = "https://pypi.org/simple" }}
sdist = {{ url = "x", hash = "sha256:{"5e" * 32}" }}
"""
_FROM_REPOSITORY: Final = 'source = { git = "https://example.org/acme-rows?rev=main" }\n'


def plant_sound(folder: Path) -> Installation:
    """A distribution whose files are those of its RECORD, and a lock that pins it with a hash."""
    install_distribution(folder, "acme-rows", "1.2", _FILES)
    return Installation(packages=(folder,), locks=(lock_distribution(folder, "acme-rows", "1.2"),))


def plant_tampered(folder: Path) -> Installation:
    """One of its files was changed, one that nobody brought runs at every start, and the lock takes it from a repository."""
    install_distribution(folder, "acme-rows", "1.2", _FILES)
    (folder / "acme_rows/rules.py").write_text("NAMES = ('a', 'c')\n", encoding="utf-8")
    (folder / "acme_start.pth").write_text("import acme_rows\n", encoding="utf-8")
    return Installation(packages=(folder,), locks=(lock_distribution(folder, "acme-rows", "1.2", _FROM_REPOSITORY),))


def install_distribution(folder: Path, name: str, version: str, files: Mapping[str, str]) -> None:
    """A distribution as an installer would leave it. `files` are texts by their relative paths."""
    described = f"{name.replace('-', '_')}-{version}.dist-info"
    whole = {**files, f"{described}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
    lines = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in whole.items()]
    for path, text in {**whole, f"{described}/RECORD": "\n".join([*lines, f"{described}/RECORD,,\n"])}.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


def lock_distribution(folder: Path, name: str, version: str, rest: str = PINNED) -> Path:
    """A `uv.lock` with that one requirement. `rest` says where it comes from."""
    lock = folder / "uv.lock"
    lock.write_text(f'version = 1\n\n[[package]]\nname = "{name}"\nversion = "{version}"\n{rest}', encoding="utf-8")
    return lock
