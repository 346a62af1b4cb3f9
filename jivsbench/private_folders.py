"""Folders that nobody else may look into: of mode 0700 from their first moment, under any umask, with whatever is above them.

A folder that this project names itself has to be its own; one that the user named is the user's, and stays as it is.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_PRIVATE: Final = 0o700


def make_missing_folders(folder: Path) -> None:
    """A folder that the user named, and those above it: what is missing is made for the owner alone. Raises OSError."""
    try:
        folder.mkdir(mode=_PRIVATE)
    except FileNotFoundError:
        # `parents=True` would make the upper ones for everybody whom the umask lets in.
        make_missing_folders(folder.parent)
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
    except OSError:
        # The root of a disk that is mounted for reading alone is there all the same.
        if not folder.is_dir():
            raise


def make_private_folder(folder: Path, *, may_exist: bool = True) -> None:
    """A folder that nobody else named or made. Raises OSError, also for a link, a file, and a folder of somebody else.

    One of ours that others could look into is closed to them.
    """
    make_missing_folders(folder.parent)
    try:
        folder.mkdir(mode=_PRIVATE)
    except FileExistsError:
        if not may_exist:
            raise
        _take_own(folder)


def _take_own(folder: Path) -> None:
    try:
        descriptor = os.open(folder, _FOLDER)
    except OSError as exc:
        if exc.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise NotADirectoryError(errno.ENOTDIR, "it is a link or a file") from exc
        raise
    try:
        facts = os.fstat(descriptor)
        if facts.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it belongs to somebody else")
        if stat.S_IMODE(facts.st_mode) & ~_PRIVATE:
            os.fchmod(descriptor, _PRIVATE)
    finally:
        os.close(descriptor)
