"""Which files a table's name stands for, and which tables a folder has."""

import fnmatch
import os
import stat
from collections.abc import Iterator
from typing import Final

from jivsbench.errors import AccessDeniedError, ExtractionError, MissingObjectError
from jivsbench_files.confinement import Root, split_name
from jivsbench_files.limits import FileLimits, refuse_excess
from jivsbench_files.streams import CODECS
from jivsbench_files.tables import Format

_MARKS: Final = "*?["
_MAX_FOLDER_DEPTH: Final = 32


class Listing:
    """Looks at names alone; opens folders, never files."""

    def __init__(self, root: Root, formats: tuple[Format, ...], limits: FileLimits) -> None:
        self._root = root
        self._formats = formats
        self._limits = limits

    def find_format(self, name: str) -> tuple[Format, str]:
        """The format of a file by its name, and the codec it is packed with. Raises MissingObjectError for another name."""
        found = self._match(name)
        if found is None:
            known = ", ".join(suffix for each in self._formats for suffix in each.suffixes)
            raise MissingObjectError(
                f"table {name!r} is of no format that is read here: {known}, some of them with {', '.join(CODECS)}"
            )
        return found

    def tables(self) -> tuple[str, ...]:
        """Every file below the root that is a table, by name. Hidden ones are left out."""
        return tuple(sorted(name for name in self._walk("", 0) if self._match(name) is not None))

    def files(self, table: str) -> tuple[str, ...]:
        """The files of a table, sorted: itself, or those in a folder, or those that match a pattern. All of one format."""
        split_name(table)
        if self._root.kind_of(table) == "folder":
            names = [f"{table}/{name}" for name in self._names(table) if self._match(name) is not None]
        elif any(mark in table for mark in _MARKS):
            folder, _, pattern = table.rpartition("/")
            if any(mark in folder for mark in _MARKS):
                raise MissingObjectError(
                    f"table {table!r} has a pattern in the name of a folder: only the last part may have one"
                )
            prefix = f"{folder}/" if folder else ""
            names = [
                f"{prefix}{name}" for name in self._names(folder) if fnmatch.fnmatchcase(name, pattern) and self._match(name)
            ]
        else:
            return (table,)
        if not names:
            raise MissingObjectError(f"table {table!r} has no file of a format that is read here")
        kinds = {self.find_format(name)[0].suffixes for name in names}
        if len(kinds) > 1:
            raise ExtractionError(f"table {table!r} has files of several formats: name them by a pattern like {table}/*.csv")
        return tuple(sorted(names))

    def _match(self, name: str) -> tuple[Format, str] | None:
        lower = name.lower()
        codec = next((codec for codec in CODECS if lower.endswith(codec)), "")
        bare = lower.removesuffix(codec)
        found = next((each for each in self._formats if bare.endswith(each.suffixes)), None)
        if found is None or (codec and not found.can_be_compressed):
            return None
        return found, codec

    def _names(self, folder: str) -> list[str]:
        names = [name for name, is_folder in self._entries(folder) if not is_folder]
        self._check_count(len(names), folder)
        return names

    def _walk(self, folder: str, depth: int, seen: int = 0) -> Iterator[str]:
        for name, is_folder in sorted(self._entries(folder)):
            path = f"{folder}/{name}" if folder else name
            if not is_folder:
                seen += 1
                self._check_count(seen, folder)
                yield path
            elif depth < _MAX_FOLDER_DEPTH:
                try:
                    yield from self._walk(path, depth + 1, seen)
                except AccessDeniedError:
                    # A folder that this user may not read, or of another file system, has no tables for this source.
                    continue

    def _entries(self, folder: str) -> list[tuple[str, bool]]:
        """Ordinary files and folders; links, devices and hidden names are no tables."""
        found = []
        with self._root.folder(folder) as descriptor, os.scandir(descriptor) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.isprintable() or "\\" in entry.name:
                    continue
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                    found.append((entry.name, stat.S_ISDIR(mode)))
        return found

    def _check_count(self, count: int, folder: str) -> None:
        if count > self._limits.max_files:
            where = f"the folder {folder!r}" if folder else "the source's folder"
            raise refuse_excess(
                where, "max_files", self._limits.max_files, f"there are more than {self._limits.max_files:,} files"
            )
