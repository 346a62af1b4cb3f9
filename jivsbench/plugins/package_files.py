"""Which files a plugin is made of, found without importing anything of it.

A plugin is a whole package, or a single file, and lies where Python would take it from. A namespace is neither: it is a name that
packages of several distributions share, each of which is one of its own.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

_IGNORED: Final = frozenset({"__pycache__"})


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """The outermost package of a module, or the module itself where it is in none; `name` is dotted below a namespace."""

    name: str
    folders: tuple[Path, ...]
    file: Path | None = None
    """Of a module that is a file of its own."""

    @property
    def places(self) -> tuple[Path, ...]:
        """Its folders, or its single file."""
        return self.folders if self.file is None else (self.file,)

    @property
    def is_on_disk(self) -> bool:
        """False for what lies within an archive, where nobody looks."""
        return all(folder.is_dir() for folder in self.folders) and (self.file is None or self.file.is_file())

    def __iter__(self) -> Iterator[tuple[str, Path]]:
        """Every file that can be imported or read as part of it, with its name in there. Compiled copies are left out."""
        if self.file is not None:
            yield self.file.name, self.file
        for number, folder in enumerate(self.folders):
            for path in _walk(folder, ()):
                yield f"{number}/{path.relative_to(folder).as_posix()}", path


def find_package(module: str) -> PackageFiles | None:
    """What a module belongs to; None when its files are not where Python's own finder of paths looks."""
    found: PackageFiles | None = None
    places: Sequence[str] | None = None
    names: list[str] = []
    for part in module.split("."):
        # The finder of paths alone: it imports nothing, and no other finder could have been put before it by a plugin.
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return None
        names.append(part)
        places = list(spec.submodule_search_locations or ())
        if found is None and spec.origin is not None:
            file = None if places else Path(spec.origin)
            found = PackageFiles(".".join(names), tuple(map(Path, places)), file)
    return found if found is not None and found.is_on_disk else None


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder, also behind links: Python imports from there as well. A link that leads back up ends there."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in sorted(folder.iterdir()):
        if path.name in _IGNORED:
            continue
        if path.is_dir():
            yield from _walk(path, (*above, real))
        elif path.is_file():
            yield path
