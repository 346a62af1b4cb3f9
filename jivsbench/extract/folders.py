"""The folder of a job's output, and the one rule by which files appear in it.

A file is written under a name that only this attempt uses, synced, renamed, and then the folder is synced: a reader
sees all of it or nothing. `manifest.json` comes last by the same rule, so a folder without it is not complete.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jivsbench.errors import OutputError

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
            _sync_folder(self.path)

    def write_manifest(self, content: bytes) -> None:
        """Write and publish the manifest, which says that the folder is complete."""
        descriptor = self.create_file(MANIFEST)
        with output_errors(self.path):
            try:
                os.write(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self.publish([MANIFEST])

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
        _sync_folder(str(output_dir))
    return JobFolder(path, secrets.token_hex(4))


def _remove_own_files(path: str) -> None:
    with suppress(OSError):
        for name in os.listdir(path):  # noqa: PTH208 - strings, as above
            if name.startswith(_OWN_FILES):
                with suppress(OSError):
                    os.unlink(f"{path}/{name}")  # noqa: PTH108


def _sync_folder(path: str) -> None:
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
