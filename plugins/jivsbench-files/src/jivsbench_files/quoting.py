"""Counts the records of CSV without Arrow, and holds them to RFC 4180.

Arrow's reader takes what is nearly CSV and guesses. This counter knows only quotes and line ends; it refuses what the two
could understand differently, so its number of rows is a second opinion, and its offsets are places where a reader may start.
"""

import re
from dataclasses import dataclass
from typing import Final

from jivsbench.errors import ExtractionError
from jivsbench_files.limits import refuse_excess

_QUOTE: Final = b'"'
CHECKPOINT_BYTES: Final = 4 << 20
_SLICE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The start of a record: so many bytes and records come before it."""

    offset: int
    rows: int


class RecordCounter:
    """Fed with the bytes of a file after its header, in order; `finish` after the last."""

    def __init__(self, delimiter: str, name: str, max_record_bytes: int, *, first_line: int, has_one_column: bool) -> None:
        self.rows = 0
        self.checkpoints: list[Checkpoint] = []
        self._name = name
        self._max_record_bytes = max_record_bytes
        mark = re.escape(delimiter.encode())
        self._quoted = re.compile(rb'(?<![^%b\n])"[^"]*(?:""[^"]*)*"(?=[%b\r\n])' % (mark, mark))
        """A quoted value in its place."""
        self._around = frozenset((ord(delimiter), ord("\n")))
        self._after = frozenset((ord(delimiter), ord("\n"), ord("\r")))
        self._line = first_line
        self._has_one_column = has_one_column
        self._in_quotes = False
        self._last = ord("\n")
        self._record_bytes = 0
        self._offset = 0
        self._held = b""

    def feed(self, chunk: bytes) -> None:
        """Count on. What comes after the last whole record is kept until the next chunk."""
        for start in range(0, len(chunk), _SLICE_BYTES):
            self._take(self._held + chunk[start : start + _SLICE_BYTES])

    def _take(self, content: bytes) -> None:
        """Count the whole records at the beginning of `content`, which begins with one."""
        end = _find_end(content)
        records, self._held = content[:end], content[end:]
        if len(self._held) > self._max_record_bytes:
            raise self._too_long(len(self._held))
        if end and not self._count_plain(records):
            self._count(records)

    def _count_plain(self, records: bytes) -> bool:
        """Count records of which nothing is to be said; False, and nothing counted, when each byte must be looked at."""
        text = self._quoted.sub(b"q", records) if _QUOTE in records else records
        has_gaps = not self._has_one_column and (text.startswith((b"\n", b"\r\n")) or b"\n\n" in text or b"\n\r\n" in text)
        if len(records) > self._max_record_bytes or _QUOTE in text or has_gaps or text.count(b"\r") != text.count(b"\r\n"):
            return False
        self.rows += text.count(b"\n")
        self._line += records.count(b"\n")
        self._offset += len(records)
        self._note_checkpoint(Checkpoint(self._offset, self.rows))
        return True

    def finish(self) -> None:
        """Count the last record, which may lack its line end. Raises ExtractionError for an open quote."""
        if self._held:
            self._count(self._held)
        if self._in_quotes:
            raise self._refuse(self._line, "a quoted value does not end before the file does")
        if self._record_bytes:
            self.rows += 1

    def _count(self, chunk: bytes) -> None:
        parts = chunk.split(_QUOTE) if self._in_quotes or _QUOTE in chunk else [chunk]
        last = len(parts) - 1
        at = 0
        last_start: Checkpoint | None = None
        for index, part in enumerate(parts):
            if self._in_quotes:
                self._record_bytes += len(part) + 1
                self._line += part.count(b"\n")
            else:
                found = self._count_outside(part, follows_quote=index > 0, precedes_quote=index < last)
                if found:
                    last_start = Checkpoint(self._offset + at + part.rfind(b"\n") + 1, self.rows)
            if self._record_bytes > self._max_record_bytes:
                raise self._too_long(self._record_bytes)
            at += len(part) + 1
            if index < last:
                self._in_quotes = not self._in_quotes
        self._last = chunk[-1]
        self._offset += len(chunk)
        if last_start is not None:
            self._note_checkpoint(last_start)

    def _note_checkpoint(self, found: Checkpoint) -> None:
        if found.offset - (self.checkpoints[-1].offset if self.checkpoints else 0) >= CHECKPOINT_BYTES:
            self.checkpoints.append(found)

    def _count_outside(self, part: bytes, *, follows_quote: bool, precedes_quote: bool) -> int:
        """Check and count what stands between quoted values; returns the line ends in it."""
        if follows_quote and part and part[0] not in self._after:
            raise self._refuse(self._line, "a quoted value is followed by more text: double the quotes within it")
        if precedes_quote and (part or not follows_quote):
            before = part[-1] if part else self._last
            if before not in self._around:
                raise self._refuse(self._line + part.count(b"\n"), "a quote stands inside a value that is not quoted")
        found = part.count(b"\n")
        if b"\r" in part and part.count(b"\r") != part.count(b"\r\n"):
            lone = next(i for i, byte in enumerate(part) if byte == ord("\r") and part[i + 1 : i + 2] != b"\n")
            raise self._refuse(self._line + part.count(b"\n", 0, lone), "a carriage return without line feed is not in quotes")
        if not self._has_one_column and found:
            self._check_filled(part, follows_quote=follows_quote)
        if found and self._record_bytes + part.find(b"\n") > self._max_record_bytes:
            raise self._too_long(self._record_bytes + part.find(b"\n"))
        self._line += found
        self.rows += found
        if found:
            self._record_bytes = len(part) - part.rfind(b"\n") - 1
        else:
            self._record_bytes += len(part)
        return found

    def _check_filled(self, part: bytes, *, follows_quote: bool) -> None:
        """An empty line is one NULL where there is one column; elsewhere Arrow would make a row of NULLs of it."""
        is_first_empty = not follows_quote and not self._record_bytes and part.startswith((b"\n", b"\r\n"))
        empty = 0 if is_first_empty else max(part.find(b"\n\n"), part.find(b"\n\r\n")) + 1
        if is_first_empty or empty:
            raise self._refuse(self._line + part.count(b"\n", 0, empty), "the line is empty")

    def _too_long(self, found: int) -> ExtractionError:
        where = f"{self._name!r}, row {self.rows + 1}"
        return refuse_excess(where, "max_record_bytes", self._max_record_bytes, f"the record has at least {found:,} bytes")

    def _refuse(self, line: int, found: str) -> ExtractionError:
        return ExtractionError(
            f"{self._name!r}, line {line}: {found}; correct the file, or set the delimiter of the source if it is another"
        )


def _find_end(content: bytes) -> int:
    """Where the last whole record ends: after a line feed with an even number of quotes before it. 0 when there is none."""
    quotes, end = content.count(_QUOTE), len(content)
    while (found := content.rfind(b"\n", 0, end)) >= 0:
        quotes -= content.count(_QUOTE, found, end)
        if quotes % 2 == 0:
            return found + 1
        end = found
    return 0
