"""Sees every opening and making of a file in some folders, whoever does it: the kernel's own word, by inotify (Linux)."""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from jivsbench.errors import InvalidRunError

OPENED: Final = 0x20
CHANGED: Final = 0x4
MADE: Final = 0x100 | 0x80
"""Created here, or moved to here."""
_OVERFLOW: Final = 0x4000
_IGNORED: Final = 0x8000
"""The kernel watches the folder no longer: it is gone, or its file system is."""
_EVENT: Final = struct.Struct("iIII")
_READ_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class FileEvent:
    """Something happened to a file, or to the folder itself when `path` is that."""

    path: Path
    what: int


class FileWatch:
    """Watches folders, not what lies in folders within them, until it is closed."""

    def __init__(self, folders: Iterable[Path], what: int) -> None:
        if sys.platform != "linux":
            raise InvalidRunError("the openings of files can only be watched on Linux")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise InvalidRunError("this machine gives no inotify instance: its limit per user is reached")
        self._what = what
        self._folders: dict[int, Path] = {}
        try:
            self._required = frozenset([self._watch(folder) for folder in folders])
        except OSError as problem:
            os.close(self._descriptor)
            raise _cannot_watch(problem) from None

    def add(self, folder: Path) -> None:
        """Watch one more folder; one that is gone is passed over. Raises InvalidRunError when the kernel watches no more."""
        try:
            self._watch(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as problem:
            raise _cannot_watch(problem) from None

    def _watch(self, folder: Path) -> int:
        number: int = self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), self._what)
        if number < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch failed")
        self._folders[number] = folder
        return number

    def prove_sight(self, file: Path) -> None:
        """Open a file of a watched folder, and forget what has happened so far. Raises InvalidRunError when that went unseen."""
        file.open("rb").close()
        if not any(event.path == file for event in self.events()):
            raise InvalidRunError("a file was opened before the kernel's eyes, and it told of nothing: this file system does not")

    def fileno(self) -> int:
        """For `select`: readable when there are events."""
        return self._descriptor

    def events(self) -> tuple[FileEvent, ...]:
        """What happened since the last call. Raises InvalidRunError when some of it was lost, or the watch has ended."""
        found: list[FileEvent] = []
        while True:
            try:
                content = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                return tuple(found)
            at = 0
            while at < len(content):
                number, what, _cookie, length = _EVENT.unpack_from(content, at)
                name = content[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
                at += _EVENT.size + length
                if what & _OVERFLOW:
                    raise InvalidRunError("more happened to the watched files than the kernel keeps")
                if what & _IGNORED and number in self._required:
                    raise InvalidRunError("a folder that was watched is gone, so what happened in it is not known")
                if number in self._folders and not what & _IGNORED:
                    found.append(FileEvent(self._folders[number] / os.fsdecode(name), what))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_trace: object) -> None:
        os.close(self._descriptor)


def _cannot_watch(problem: OSError) -> InvalidRunError:
    return InvalidRunError(f"the kernel does not watch a folder of this check ({errno.errorcode.get(problem.errno or 0)})")
