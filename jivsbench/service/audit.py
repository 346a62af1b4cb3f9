"""The audit trail: who asked for what when, and what was refused. A request that cannot be written down is not carried out.

One chain a credential key, in a folder of mode 0700 within the output folder; appended to, never rewritten. Lines hold no
body, no query string and no value: methods, paths, roles, token ids, answers. A file that is full is followed by another.
"""

import json
import logging
import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jivsbench.errors import AuditError
from jivsbench.model.audit import START, check_line, format_line
from jivsbench.private_folders import make_private_folder
from jivsbench.service.trail_files import list_full, name_full, name_trail, read_last_line

_LOG = logging.getLogger(__name__)
AUDIT_FOLDER: Final = ".audit"
_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_LONGEST_TEXT: Final = 300
FULL_BYTES: Final = 64 << 20
"""A file of that size is full, and the chain goes on in another one. Some 200,000 events."""


@dataclass(frozen=True, slots=True)
class AuditKey:
    """What signs the lines, and the name of the key that it was derived from."""

    key_id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"AuditKey({self.key_id!r})"


class AuditTrail:
    """Appends events to one file after another, from many threads. `open_trail` makes one."""

    def __init__(  # noqa: PLR0917 - six different types
        self, path: Path, descriptor: int, key: AuditKey | None, lines: int, head: str, full_bytes: int = FULL_BYTES
    ) -> None:
        self.path = path
        self._descriptor = descriptor
        self._key = key.secret if key else None
        self._lock = threading.Lock()
        self._lines = lines
        self._head = head
        self._size_bytes = os.fstat(descriptor).st_size
        self._full_bytes = self._change_at_bytes = full_bytes

    @property
    def head(self) -> str:
        """The digest of the last line."""
        return self._head

    def record(self, event: str, **facts: object) -> None:
        """Write one event down. Raises AuditError when that is not possible; then nothing of it is in the file."""
        shown = {name: _shorten(value) for name, value in facts.items() if value is not None}
        fields = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **shown}
        with self._lock:
            if self._size_bytes >= self._change_at_bytes:
                self._change_file()
            line, digest = format_line(fields, self._lines + 1, self._head, self._key)
            try:
                self._append(line)
            except OSError as exc:
                _LOG.error("the audit trail cannot be written", extra={"reason": exc.strerror})
                raise AuditError(
                    f"the audit trail cannot be written ({exc.strerror}), so nothing is carried out: make room, "
                    "or repair its folder"
                ) from exc
            self._lines, self._head, self._size_bytes = self._lines + 1, digest, self._size_bytes + len(line)

    def _append(self, line: bytes) -> None:
        self._check_untouched()
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, self._size_bytes)
            raise OSError(0, "the disk is full")

    def _check_untouched(self) -> None:
        facts = os.fstat(self._descriptor)
        if facts.st_nlink == 0 or facts.st_size != self._size_bytes:
            raise OSError(0, "the file was removed, or somebody else has written to it")

    def _change_file(self) -> None:
        """Go on in another file. When that is not possible, in this one, until as much again was written."""
        attempt = self.path.with_name(f".{self.path.name}.next")
        with ExitStack() as undo:
            try:
                attempt.unlink(missing_ok=True)
                descriptor = os.open(attempt, _APPEND | os.O_EXCL, 0o600)
                undo.callback(os.close, descriptor)
                undo.callback(attempt.unlink, missing_ok=True)
                os.fsync(self._descriptor)
                self._check_untouched()
                full = name_full(self.path)
                full.hardlink_to(self.path)
                undo.callback(full.unlink, missing_ok=True)
                # There is a file of that name at every moment, so that a service which ends now finds where it was.
                attempt.replace(self.path)
            except OSError as exc:
                self._change_at_bytes += self._full_bytes
                _LOG.error("the audit trail's file is full, and no other could be begun", extra={"reason": exc.strerror})
                return
            undo.pop_all()
        _LOG.info("the audit trail goes on in a new file", extra={"full": full.name, "head": self._head, "lines": self._lines})
        os.close(self._descriptor)
        self._descriptor, self._size_bytes, self._change_at_bytes = descriptor, 0, self._full_bytes

    def close(self) -> None:
        """Have everything on the disk, and say in the log where the trail ends."""
        with self._lock:
            _LOG.info("the audit trail ends here", extra={"head": self._head, "lines": self._lines})
            try:
                os.fsync(self._descriptor)
            finally:
                os.close(self._descriptor)


def open_trail(output_dir: Path, key: AuditKey | None, full_bytes: int = FULL_BYTES) -> AuditTrail:
    """The trail of a service, to be continued. Raises AuditError when its last line does not hold, or it cannot be written."""
    folder = output_dir / AUDIT_FOLDER
    path = folder / name_trail(key.key_id if key else None)
    with ExitStack() as exits:
        try:
            make_private_folder(folder)
            _undo_cut_change(path)
            descriptor = os.open(path, _APPEND, 0o600)
            exits.callback(os.close, descriptor)
            os.fchmod(descriptor, 0o600)
            last = read_last_line(descriptor) or _read_last_full_line(path)
        except OSError as exc:
            raise AuditError(f"the audit trail was to be kept in {path}, which cannot be used ({exc.strerror})") from exc
        lines, head = 0, START
        if last:
            found = check_line(last, None, None, key.secret if key else None)
            if found is None:
                raise AuditError(
                    f"the last line of the audit trail {path} was altered or cut, so it is not continued: look at it with "
                    "`jivsbench trail`, and move it away to begin a new one"
                )
            lines, head = json.loads(last)["line"], found
        _LOG.info("the audit trail goes on here", extra={"head": head, "lines": lines})
        trail = AuditTrail(path, descriptor, key, lines, head, full_bytes)
        exits.pop_all()
        return trail


def _undo_cut_change(path: Path) -> None:
    """A process that ended just as it changed from a full file to the next has left both names to one file."""
    full = list_full(path)
    if full and path.exists() and path.samefile(full[-1]):
        full[-1].unlink()


def _read_last_full_line(path: Path) -> bytes:
    """Where the chain goes on when the file that is written to is new; empty when there is no full one."""
    full = list_full(path)
    if not full:
        return b""
    descriptor = os.open(full[-1], os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    try:
        return read_last_line(descriptor)
    finally:
        os.close(descriptor)


def _shorten(value: object) -> object:
    return value if not isinstance(value, str) or len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "..."
