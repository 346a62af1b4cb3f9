"""The folder of a job's output, and the one rule by which files appear in it.

A folder is opened once, without following a link, and everything in it is reached through that descriptor: whoever swaps
the folder, or one above it, while a job runs moves a name, not where the job's files go.

A file is written under a name that only this attempt uses, synced, renamed, and then the folder is synced: a reader
sees all of it or nothing. `manifest.json` comes last by the same rule, so a folder without it is not complete.
"""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jivsbench.errors import OutputError
from jivsbench.private_folders import make_missing_folders

if TYPE_CHECKING:
    from typing_extensions import Buffer

MANIFEST = "manifest.json"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OWN_FILES = ("part-", MANIFEST)
_HAS_DESCRIPTOR_PATHS = sys.platform == "linux"


@contextmanager
def output_errors(folder: str) -> Iterator[None]:
    """Turn what the file system says into an OutputError that names the folder."""
    try:
        yield
    except OSError as problem:
        raise _build_output_error(folder, problem) from problem


class _Anchor:
    """An open folder, closed when nobody holds it any more."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        """May be called twice."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


@dataclass(slots=True)
class JobFolder:
    """One attempt to fill the folder of one job. Either `publish` is called, or `remove`. `path` is for messages."""

    path: str
    attempt: str
    _anchor: _Anchor = field(repr=False)

    @property
    def place(self) -> str:
        """The opened folder itself, for those who have to open a file in it by a path."""
        return _place_of(self._anchor.descriptor, self.path)

    def temporary(self, name: str) -> str:
        """Where this attempt writes a file until it is whole; for reading it."""
        return f"{self.place}/{self._temporary_name(name)}"

    def create_file(self, name: str) -> int:
        """Open a new file for writing, for the owner alone, under its temporary name. Returns its descriptor."""
        with output_errors(self.path):
            return os.open(self._temporary_name(name), _NEW_FILE, 0o600, dir_fd=self._anchor.descriptor)

    def publish(self, names: list[str]) -> None:
        """Give synced files their final names, and make that last."""
        folder = self._anchor.descriptor
        with output_errors(self.path):
            for name in names:
                os.rename(self._temporary_name(name), name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    def write_manifest(self, content: bytes) -> None:
        """Write and publish the manifest, which says that the folder is complete."""
        descriptor = self.create_file(MANIFEST)
        with output_errors(self.path):
            try:
                write_synced(descriptor, content)
            finally:
                os.close(descriptor)
        try:
            self.publish([MANIFEST])
        except OutputError:
            # It may have its name already, but a failed sync is no success.
            with suppress(OSError):
                os.unlink(MANIFEST, dir_fd=self._anchor.descriptor)
            raise

    def keep_only(self, names: Collection[str]) -> None:
        """Delete everything of an extraction but these files. Never raises, as `remove`."""
        _remove_own_files(self._anchor.descriptor, names)

    def discard(self, name: str) -> None:
        """Delete a file of this attempt that has its temporary name still."""
        with output_errors(self.path):
            os.unlink(self._temporary_name(name), dir_fd=self._anchor.descriptor)

    def drop_unfinished(self) -> None:
        """Delete what this attempt wrote and gave no final name. Never raises, as `remove`."""
        with suppress(OSError):
            for name in os.listdir(self._anchor.descriptor):  # noqa: PTH208 - a descriptor is no path
                if name.endswith(f".tmp-{self.attempt}"):
                    os.unlink(name, dir_fd=self._anchor.descriptor)

    def remove(self) -> None:
        """Delete what this attempt wrote and let go of the folder; the job failed. Never raises: the failure is what counts."""
        _remove_own_files(self._anchor.descriptor)
        self.close()
        with suppress(OSError):
            # By its name: a link that took its place is no folder, and is left alone.
            os.rmdir(self.path)  # noqa: PTH106 - strings: this is the hot path

    def close(self) -> None:
        """Let go of the folder; nothing more is done in it. May be called twice."""
        self._anchor.close()

    def _temporary_name(self, name: str) -> str:
        return f"{name}.tmp-{self.attempt}"


def create_job_folder(output_dir: Path, job_id: str) -> JobFolder:
    """Make the folder of a job, for the owner alone. Leftovers of an attempt that died are removed.

    Raises OutputError when it cannot be made, is a link or somebody else's, or holds a complete output already.
    """
    path = f"{output_dir}/{job_id}"
    with output_errors(str(output_dir)), _opened_parent(output_dir) as parent:
        is_new = _make_folder(job_id, parent)
        anchor = _open_own(path, job_id, parent)
        if not is_new:
            if _holds(anchor.descriptor, MANIFEST):
                raise OutputError(f"job {job_id} has a complete output in {path} already: choose another job id")
            _remove_own_files(anchor.descriptor)
        os.fsync(parent)
    return JobFolder(path, secrets.token_hex(4), anchor)


def enter_job_folder(output_dir: Path, job_id: str) -> JobFolder:
    """The folder of a job for one more attempt; it is made when it is missing, else nothing in it is touched.

    Raises OutputError when it cannot be made, or is a link or somebody else's.
    """
    path = f"{output_dir}/{job_id}"
    with output_errors(path), _opened_parent(output_dir) as parent:
        _make_folder(job_id, parent)
        anchor = _open_own(path, job_id, parent)
        os.fsync(parent)
    return JobFolder(path, secrets.token_hex(4), anchor)


@contextmanager
def _opened_parent(folder: Path) -> Iterator[int]:
    try:
        descriptor = os.open(folder, _FOLDER)
    except FileNotFoundError:
        make_missing_folders(folder)
        descriptor = os.open(folder, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make_folder(name: str, parent: int) -> bool:
    """True when it was made; a job's id is one name, so nothing in it leads elsewhere."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise OutputError("a job's id is to name its folder, and this one would lead elsewhere: use letters, digits, - and _")
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return False
    return True


def _open_own(path: str, name: str, parent: int) -> _Anchor:
    """The folder, when it is one, the owner's, and not writable for all; its group may write."""
    try:
        anchor = _Anchor(os.open(name, _FOLDER | getattr(os, "O_NOFOLLOW", 0), dir_fd=parent))
    except OSError as exc:
        if exc.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise OutputError(
                f"{path} is a link or a file, where the folder of a job should be: remove it, or name another"
            ) from exc
        raise
    facts = os.fstat(anchor.descriptor)
    if facts.st_uid != os.geteuid() or facts.st_mode & stat.S_IWOTH:
        raise OutputError(
            f"others can write to {path}, so an output in it would prove nothing: remove it, or name another folder"
        )
    return anchor


def _holds(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _place_of(descriptor: int, path: str) -> str:
    # Linux has a name for an open folder, which stays with it wherever its own name goes.
    return f"/proc/self/fd/{descriptor}" if _HAS_DESCRIPTOR_PATHS else path


def write_whole(descriptor: int, content: "Buffer") -> int:
    """Write all of it. Returns its size in bytes.

    A disk that becomes full takes a part of what one call writes, and complains only of the next.
    """
    left = memoryview(content).cast("B")
    size = len(left)
    while left:
        left = left[os.write(descriptor, left) :]
    return size


def write_synced(descriptor: int, content: bytes) -> None:
    """Write all of it, and have it on the disk."""
    write_whole(descriptor, content)
    os.fsync(descriptor)


def _remove_own_files(folder: int, kept: Collection[str] = ()) -> None:
    with suppress(OSError):
        # The manifest first: while it is there, the folder looks complete.
        for name in sorted(os.listdir(folder), key=lambda name: name != MANIFEST):
            if name.startswith(_OWN_FILES) and name not in kept:
                with suppress(OSError):
                    os.unlink(name, dir_fd=folder)


def sync_folder(path: str) -> None:
    """Make last what names a folder holds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _build_output_error(folder: str, problem: OSError) -> OutputError:
    reason = problem.strerror or type(problem).__name__
    return OutputError(
        f"the output folder {folder} cannot be written ({reason}): free space, or choose a folder you may write to"
    )
