"""Text files as UTF-8, checked byte by byte. What is not in the declared encoding is refused with its line."""

import codecs
from typing import Final

from jivsbench.errors import ExtractionError
from jivsbench_files.streams import ByteSource

_FOREIGN_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Utf8Reader:
    """Reads a source as UTF-8 without byte order mark, whatever its encoding is."""

    def __init__(self, source: ByteSource, encoding: str, name: str, *, is_inside: bool = False) -> None:
        self._source = source
        self._encoding = encoding
        self._name = name
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._line = 1
        # Inside a file the same character is one of a value.
        self._is_first = not is_inside
        self.mark_bytes = 0
        """Length of a byte order mark that was taken away from UTF-8."""

    def read(self, size: int = -1, /) -> bytes:
        """At least one byte unless the source has ended; it can be more than `size`, since an encoding may be denser."""
        while True:
            raw = self._source.read(size)
            if self._is_first:
                self._check_mark(raw)
            elif self._is_plain(raw):
                self._line += raw.count(b"\n")
                return raw
            text = self._decode(raw)
            if self._is_first and text:
                self._is_first = False
                if text.startswith("\ufeff"):
                    self.mark_bytes = len(codecs.BOM_UTF8)
                    text = text[1:]
            if text or not raw:
                chunk = text.encode()
                self._line += chunk.count(b"\n")
                return chunk

    def _is_plain(self, raw: bytes) -> bool:
        """True for bytes that decoding and encoding would only copy."""
        return bool(raw) and self._encoding == "utf-8" and raw.isascii() and not self._decoder.getstate()[0]

    def _decode(self, raw: bytes) -> str:
        try:
            return self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            line = self._line + error.object[: error.start].count(b"\n")
            raise ExtractionError(
                f"{self._name!r}, line {line}: there are bytes that are no {self._encoding}: "
                "set the encoding of the source, e.g. encoding=cp1252"
            ) from None

    def _check_mark(self, raw: bytes) -> None:
        for mark, encoding in _FOREIGN_MARKS:
            if raw.startswith(mark) and not self._encoding.startswith(encoding):
                raise ExtractionError(
                    f"{self._name!r} begins as {encoding} does, and was read as {self._encoding}: "
                    f"set encoding={encoding} for the source"
                )
