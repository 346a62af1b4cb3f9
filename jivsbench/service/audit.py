"""The audit trail: who asked for what when, and what was refused. A request that cannot be written down is not carried out.

One file a credential key, in a folder of mode 0700 within the output folder; appended to, never rewritten. Lines hold no
body, no query string and no value: methods, paths, roles, token ids, answers.
"""

import json
import logging
import os
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jivsbench.errors import AuditError, ConfigError
from jivsbench.extract.private_folders import make_private_folder
from jivsbench.model.audit import START, check_line, format_line

_LOG = logging.getLogger(__name__)
AUDIT_FOLDER: Final = ".audit"
_NO_KEY: Final = "no-key"
_NAME: Final = re.compile(r"trail-([0-9a-f]{16}|no-key)\.jsonl")
_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_LONGEST_LINE_BYTES: Final = 65_536
_LONGEST_TEXT: Final = 300


@dataclass(frozen=True, slots=True)
class AuditKey:
    """What signs the lines, and the name of the key that it was derived from."""

    key_id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"AuditKey({self.key_id!r})"


class AuditTrail:
    """Appends events to one file, from many threads. `open_trail` makes one."""

    def __init__(self, path: Path, descriptor: int, key: AuditKey | None, lines: int, head: str) -> None:
        self.path = path
        self._descriptor = descriptor
        self._key = key.secret if key else None
        self._lock = threading.Lock()
        self._lines = lines
        self._head = head
        self._size_bytes = os.fstat(descriptor).st_size

    @property
    def head(self) -> str:
        """The digest of the last line."""
        return self._head

    def record(self, event: str, **facts: object) -> None:
        """Write one event down. Raises AuditError when that is not possible; then nothing of it is in the file."""
        shown = {name: _shorten(value) for name, value in facts.items() if value is not None}
        fields = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **shown}
        with self._lock:
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
        facts = os.fstat(self._descriptor)
        if facts.st_nlink == 0 or facts.st_size != self._size_bytes:
            raise OSError(0, "the file was removed, or somebody else has written to it")
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, self._size_bytes)
            raise OSError(0, "the disk is full")

    def close(self) -> None:
        """Have everything on the disk, and say in the log where the trail ends."""
        with self._lock:
            _LOG.info("the audit trail ends here", extra={"head": self._head, "lines": self._lines})
            try:
                os.fsync(self._descriptor)
            finally:
                os.close(self._descriptor)


def open_trail(output_dir: Path, key: AuditKey | None) -> AuditTrail:
    """The trail of a service, to be continued. Raises AuditError when its last line does not hold, or it cannot be written."""
    folder = output_dir / AUDIT_FOLDER
    path = folder / f"trail-{key.key_id if key else _NO_KEY}.jsonl"
    try:
        make_private_folder(folder)
        descriptor = os.open(path, _APPEND, 0o600)
        os.fchmod(descriptor, 0o600)
        last = _read_last_line(descriptor)
    except OSError as exc:
        raise AuditError(f"the audit trail was to be kept in {path}, which cannot be used ({exc.strerror})") from exc
    lines, head = 0, START
    if last:
        found = check_line(last, None, None, key.secret if key else None)
        if found is None:
            os.close(descriptor)
            raise AuditError(
                f"the last line of the audit trail {path} was altered or cut, so it is not continued: look at it with "
                "`jivsbench trail`, and move it away to begin a new one"
            )
        lines, head = json.loads(last)["line"], found
    _LOG.info("the audit trail goes on here", extra={"head": head, "lines": lines})
    return AuditTrail(path, descriptor, key, lines, head)


def find_key_id(path: Path) -> str | None:
    """The credential key that signs the lines of a trail, by its file's name; None when none does. Raises ConfigError."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ConfigError(f"{path} is not named as an audit trail is: give the file as the service named it, trail-KEY.jsonl")
    return None if match[1] == _NO_KEY else match[1]


def _read_last_line(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _LONGEST_LINE_BYTES, max(size - _LONGEST_LINE_BYTES, 0))
    return tail[tail[:-1].rfind(b"\n") + 1 :]


def _shorten(value: object) -> object:
    return value if not isinstance(value, str) or len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "..."
