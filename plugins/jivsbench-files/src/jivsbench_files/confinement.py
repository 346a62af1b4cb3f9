"""Opens files below the root, and nothing else.

Every component of a name is opened by itself, relative to the folder before it, and never through a symbolic link: there
is no moment at which a path is checked and another one opened. What is no ordinary file of the root's own file system is
refused before it is opened, since opening a device or a FIFO can already do something.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jivsbench.errors import AccessDeniedError, ExtractionError, MissingObjectError, SourceUnreachableError

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: should a FIFO take the file's place after it was looked at, opening it must not wait for a writer.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MAX_NAME_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class FileVersion:
    """What a file system tells of a file's content without reading it. Equal before and after: nobody wrote meanwhile."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


def read_version(descriptor: int) -> FileVersion:
    """The version of an open file."""
    found = os.fstat(descriptor)
    return FileVersion(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Root:
    """The folder of a source, held open: whatever is renamed above it later, names stay relative to this one."""

    def __init__(self, path: Path, *, takes_hard_links: bool = False) -> None:
        self.path = path
        self._takes_hard_links = takes_hard_links
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingObjectError(f"there is no folder {path}: a files URL names one that exists") from None
        except PermissionError:
            raise AccessDeniedError(f"the folder {path} may not be read by this user: check its permissions") from None
        except OSError as error:
            raise SourceUnreachableError(f"the folder {path} cannot be opened ({error.strerror})") from None
        self._device = os.fstat(self._descriptor).st_dev
        self._is_open = True

    @property
    def is_alive(self) -> bool:
        """True while the folder is open and still the one of that name."""
        try:
            return self._is_open and os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            return False

    def close(self) -> None:
        """Let the folder go; may be called twice."""
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)

    @contextlib.contextmanager
    def folder(self, name: str) -> Iterator[int]:
        """The descriptor of a folder below the root; the empty name is the root itself."""
        self._require_open()
        with contextlib.ExitStack() as stack:
            current = self._descriptor
            for part in split_name(name) if name else ():
                current = self._open_part(current, part, name, _FOLDER)
                stack.callback(os.close, current)
                self._check_device(current, name)
            yield current

    def open_file(self, name: str) -> int:
        """The descriptor of an ordinary file, open for reading. Raises MissingObjectError or AccessDeniedError."""
        parent, _, last = name.rpartition("/")
        split_name(name)
        with self.folder(parent) as folder:
            before = self._stat(folder, last, name)
            _check_ordinary(before, name, takes_hard_links=self._takes_hard_links)
            descriptor = self._open_part(folder, last, name, _FILE)
            try:
                _check_ordinary(os.fstat(descriptor), name, takes_hard_links=self._takes_hard_links)
                self._check_device(descriptor, name)
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor

    def kind_of(self, name: str) -> str:
        """`file`, `folder` or `nothing`; other kinds and links are `nothing` that could be a table."""
        parent, _, last = name.rpartition("/")
        split_name(name)
        try:
            with self.folder(parent) as folder:
                mode = os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode
        except (OSError, MissingObjectError):
            return "nothing"
        return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "nothing"

    def _require_open(self) -> None:
        if not self._is_open:
            raise SourceUnreachableError(f"{self.path} was asked for a file on a closed connection: open another")

    def _stat(self, folder: int, part: str, name: str) -> os.stat_result:
        try:
            return os.stat(part, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            raise _translate(error, name) from None

    def _open_part(self, folder: int, part: str, name: str, flags: int) -> int:
        try:
            return os.open(part, flags, dir_fd=folder)
        except OSError as error:
            if not isinstance(error, (FileNotFoundError, PermissionError)):
                with contextlib.suppress(OSError):
                    if stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
                        raise _refuse_link(name) from None
            raise _translate(error, name) from None

    def _check_device(self, descriptor: int, name: str) -> None:
        if os.fstat(descriptor).st_dev != self._device:
            raise AccessDeniedError(
                f"table {name!r} lies on another file system than the source's folder: make its own folder a source of its own"
            )


def split_name(name: str) -> tuple[str, ...]:
    """The components of a table's name. Raises MissingObjectError for a name that could lead out of the root."""
    parts = tuple(name.split("/"))
    is_plain = all(part not in ("", ".", "..") for part in parts)
    if not is_plain or "\\" in name or not name.isprintable() or len(name.encode(errors="replace")) > _MAX_NAME_BYTES:
        raise MissingObjectError(
            f"no table is called {name!r}: a table is a file below the source's folder, "
            "named relative to it with / and without . or .. or \\"
        )
    return parts


def check_unchanged(before: FileVersion, after: FileVersion, name: str) -> None:
    """Raise ExtractionError when a file is not what it was."""
    if before != after:
        raise ExtractionError(
            f"{name!r} was changed while it was read (size or times differ): start again when nobody writes to it"
        )


def _check_ordinary(found: os.stat_result, name: str, *, takes_hard_links: bool) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise _refuse_link(name)
    if stat.S_ISDIR(found.st_mode):
        raise MissingObjectError(f"table {name!r} is a folder where a file is needed")
    if not stat.S_ISREG(found.st_mode):
        raise AccessDeniedError(f"table {name!r} is a device, socket or FIFO: only ordinary files are read")
    if found.st_nlink > 1 and not takes_hard_links:
        # Its other name can be that of a file outside, which this process may read and whoever linked it may not.
        raise AccessDeniedError(
            f"table {name!r} has {found.st_nlink} names (hard links), of which others can lie outside the source's folder: "
            "copy the file, or set hard_links=yes in the URL when nobody else may write into the folder"
        )


def _refuse_link(name: str) -> AccessDeniedError:
    return AccessDeniedError(f"table {name!r} is reached through a symbolic link, which is never followed: name the file itself")


def _translate(error: OSError, name: str) -> Exception:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return MissingObjectError(f"there is no file {name!r} below the source's folder: list its tables to see what is there")
    if isinstance(error, PermissionError):
        return AccessDeniedError(
            f"table {name!r} may not be read by this user: check the permissions of the file and its folders"
        )
    return SourceUnreachableError(f"table {name!r} cannot be opened ({error.strerror})")
