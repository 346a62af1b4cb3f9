"""What an unfinished output has for certain: lines that are only ever appended, each synced before the next step begins.

A line is `<digest> <record>`; its digest covers the digest of the line before, so no line can be lost, changed or moved
unseen. A crash tears the last line at most, and that line is then taken for unwritten. Damage anywhere else is no crash's
work: the log is refused. The process that writes holds a lock on the file, which ends with the process, however it ends.
"""

import fcntl
import hashlib
import io
import os
from contextlib import suppress

from jivsbench.errors import ResumeError
from jivsbench.extract.folders import output_errors, sync_folder, write_synced

STATE_LOG = "state.log"
_DIGEST_LETTERS = 32
_OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)


class StateLog:
    """The open log of one folder. `records` are those that were whole when it was opened."""

    def __init__(self, folder: str, place: str, descriptor: int) -> None:
        self._folder = folder
        self._place = place
        self._descriptor = descriptor
        self._is_broken = False
        with output_errors(folder):
            content = _read_all(descriptor)
            self.records, self._size, self._digest = parse_log(content, folder)
            if self._size < len(content):
                os.ftruncate(descriptor, self._size)
                os.fsync(descriptor)

    def append(self, record: bytes) -> None:
        """Add a record; it is on the disk when this returns.

        After any failure nothing more is added: whether the record will be found later is then unknown.
        """
        assert b"\n" not in record
        self.check_owner()
        digest = _compute_digest(self._digest, record)
        line = f"{digest} ".encode() + record + b"\n"
        self._is_broken = True
        with output_errors(self._folder):
            write_synced(self._descriptor, line)
        self._digest = digest
        self._size += len(line)
        self._is_broken = False

    def check_owner(self) -> None:
        """Raise ResumeError when the log is not as this process left it: the lock means nothing on some network file systems."""
        with output_errors(self._folder):
            is_ours = not self._is_broken and _is_in_place(self._place, self._descriptor)
            is_ours = is_ours and os.fstat(self._descriptor).st_size == self._size
        if not is_ours:
            raise ResumeError(
                f"the state log in {self._folder} is not as this process left it: see that one process at a time extracts into "
                "that folder, and that its disk is sound"
            )

    def remove(self) -> None:
        """Delete the log of an output that is complete, and let go of the lock."""
        with suppress(OSError):
            os.unlink(f"{self._place}/{STATE_LOG}")  # noqa: PTH108 - strings, as in `folders`
        self.close()

    def close(self) -> None:
        """Let go of the lock; the log stays. May be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def open_state_log(folder: str, place: str | None = None) -> StateLog:
    """Open the log of a folder for this process alone, or make it. `place` is the opened folder, `folder` its name for messages.

    Raises ResumeError when another process has it open, or when it is damaged otherwise than at its end.
    """
    with output_errors(folder):
        place = place or folder
        descriptor = os.open(f"{place}/{STATE_LOG}", _OPEN, 0o600)
    try:
        _lock(folder, place, descriptor)
        return StateLog(folder, place, descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def parse_log(content: bytes, folder: str) -> tuple[tuple[bytes, ...], int, str]:
    """The whole records, where the last of them ends, and its digest. Raises ResumeError when damage is not at the end alone."""
    records: list[bytes] = []
    size, digest = 0, ""
    for line in io.BytesIO(content):
        written, _, record = line[:-1].partition(b" ")
        expected = _compute_digest(digest, record)
        if line[-1:] != b"\n" or written != expected.encode():
            break
        records.append(record)
        size, digest = size + len(line), expected
    # Each line was synced before the next was begun, so a crash can have damaged only the last one.
    if content.find(b"\n", size) not in (-1, len(content) - 1):
        raise ResumeError(f"the state log in {folder} is damaged in its middle: remove the folder and start the extraction again")
    return tuple(records), size, digest


def _compute_digest(before: str, record: bytes) -> str:
    return hashlib.sha256(before.encode() + b" " + record).hexdigest()[:_DIGEST_LETTERS]


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()


def _lock(folder: str, place: str, descriptor: int) -> None:
    with output_errors(folder):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_free = _is_in_place(place, descriptor)
        except BlockingIOError:
            is_free = False
        sync_folder(place)
    if not is_free:
        raise ResumeError(f"another process extracts into {folder} at this moment: wait until it ends, or name another folder")


def _is_in_place(folder: str, descriptor: int) -> bool:
    """False when the log was removed since it was opened: who waited for its lock must not write into nowhere."""
    try:
        found = os.stat(f"{folder}/{STATE_LOG}")  # noqa: PTH116 - strings, as in `folders`
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))
