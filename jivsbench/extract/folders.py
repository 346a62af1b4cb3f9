"""The folder of a job's output, and the one rule by which files appear in it.

A file is written under a name that only this attempt uses, synced, renamed, and then the folder is synced: a reader
sees all of it or nothing. `manifest.json` comes last by the same rule, so a folder without it is not complete.
"""

import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jivsbench.errors import OutputError

if TYPE_CHECKING:
    from typing_extensions import Buffer

MANIFEST = "manifest.json"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_OWN_FILES = ("part-", MANIFEST)


@contextmanager
def output_errors(folder: str) -> Iterator[None]:
    """Turn what the file system says into an OutputError that names the folder."""
    try:
        yield
    except OSError as problem:
        raise _build_output_error(folder, problem) from problem


@dataclass(slots=True)
class JobFolder:
    """One attempt to fill the folder of one job. Either `publish` is called, or `remove`."""

    path: str
    attempt: str

    def temporary(self, name: str) -> str:
        """Where this attempt writes a file until it is whole."""
        return f"{self.path}/{name}.tmp-{self.attempt}"

    def create_file(self, name: str) -> int:
        """Open a new file for writing, for the owner alone, under its temporary name. Returns its descriptor."""
        with output_errors(self.path):
            return os.open(self.temporary(name), _NEW_FILE, 0o600)

    def publish(self, names: list[str]) -> None:
        """Give synced files their final names, and make that last."""
        with output_errors(self.path):
            for name in names:
                os.rename(self.temporary(name), f"{self.path}/{name}")  # noqa: PTH104 - strings: this is the hot path
            sync_folder(self.path)

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
                os.unlink(f"{self.path}/{MANIFEST}")  # noqa: PTH108 - strings, as above
            raise

    def keep_only(self, names: Collection[str]) -> None:
        """Delete everything of an extraction but these files. Never raises, as `remove`."""
        _remove_own_files(self.path, names)

    def discard(self, name: str) -> None:
        """Delete a file of this attempt that has its temporary name still."""
        with output_errors(self.path):
            os.unlink(self.temporary(name))  # noqa: PTH108 - strings, as above

    def drop_unfinished(self) -> None:
        """Delete what this attempt wrote and gave no final name. Never raises, as `remove`."""
        with suppress(OSError):
            for name in os.listdir(self.path):  # noqa: PTH208 - strings, as above
                if name.endswith(f".tmp-{self.attempt}"):
                    os.unlink(f"{self.path}/{name}")  # noqa: PTH108

    def remove(self) -> None:
        """Delete what this attempt wrote; the job failed. Never raises: the failure itself is what counts."""
        _remove_own_files(self.path)
        with suppress(OSError):
            os.rmdir(self.path)  # noqa: PTH106 - strings, as above


def create_job_folder(output_dir: Path, job_id: str) -> JobFolder:
    """Make the folder of a job, for the owner alone. Leftovers of an attempt that died are removed.

    Raises OutputError when it cannot be made, or holds a complete output already.
    """
    path = f"{output_dir}/{job_id}"
    with output_errors(str(output_dir)):
        try:
            os.mkdir(path, 0o700)  # noqa: PTH102 - strings, as above
        except FileNotFoundError:
            output_dir.mkdir(parents=True, exist_ok=True)
            os.mkdir(path, 0o700)  # noqa: PTH102
        except FileExistsError:
            if Path(path, MANIFEST).exists():
                raise OutputError(f"job {job_id} has a complete output in {path} already: choose another job id") from None
            _remove_own_files(path)
        sync_folder(str(output_dir))
    return JobFolder(path, secrets.token_hex(4))


def enter_job_folder(output_dir: Path, job_id: str) -> JobFolder:
    """The folder of a job for one more attempt; it is made when it is missing, else nothing in it is touched."""
    path = output_dir / job_id
    with output_errors(str(path)):
        output_dir.mkdir(parents=True, exist_ok=True)
        path.mkdir(0o700, exist_ok=True)
        sync_folder(str(output_dir))
    return JobFolder(str(path), secrets.token_hex(4))


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


def _remove_own_files(path: str, kept: Collection[str] = ()) -> None:
    with suppress(OSError):
        # The manifest first: while it is there, the folder looks complete.
        for name in sorted(os.listdir(path), key=lambda name: name != MANIFEST):  # noqa: PTH208 - strings, as above
            if name.startswith(_OWN_FILES) and name not in kept:
                with suppress(OSError):
                    os.unlink(f"{path}/{name}")  # noqa: PTH108


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
