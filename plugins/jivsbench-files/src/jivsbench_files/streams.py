"""Bytes out of an open file: unpacked, within limits, and never after the session was cancelled."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Final, Protocol

import pyarrow as pa

from jivsbench.errors import ExtractionError
from jivsbench_files.limits import MIB, RATIO_FREE_BYTES, FileLimits, refuse_excess

CODECS: Final = (".gz", ".bz2", ".xz", ".zst")
_XZ_MEMORY_BYTES: Final = 128 * MIB
"""What the decoder of .xz may take: the strongest preset needs 65 MiB; a header can ask for 4 GiB."""
_CHUNK_BYTES: Final = 64 * 1024
Watch = Callable[[], None]
"""Raises when the session was cancelled or its time is up."""


class ByteSource(Protocol):
    """What gives bytes; fewer than asked for are fine, none means the end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        ...


class WatchedFile(io.RawIOBase):
    """An open file that looks at the session's watch before each read. Closes its descriptor."""

    def __init__(self, descriptor: int, watch: Watch) -> None:
        self._file = open(descriptor, "rb", buffering=0)  # noqa: SIM115 - closed by `close`
        self._watch = watch

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        """Read into the buffer."""
        self._watch()
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to another place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._file.tell()

    def fileno(self) -> int:
        """The descriptor."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the descriptor; may be called twice."""
        self._file.close()
        super().close()


class Unpacked:
    """The content of a compressed file. Counts what comes out against the limits on size and ratio."""

    def __init__(self, file: WatchedFile, codec: str, name: str, limits: FileLimits) -> None:
        self._file = file
        self._name = name
        self._limits = limits
        self._source = _open_codec(file, codec)
        self._unpacked_bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes, of which none is past a limit."""
        try:
            # Never all at once: a bomb would have gone off before it could be counted.
            chunk = self._source.read(min(size, MIB) if size >= 0 else MIB)
        except (EOFError, OSError, zlib.error, lzma.LZMAError, pa.ArrowException):
            raise ExtractionError(
                f"{self._name!r} cannot be unpacked: it is cut off or damaged, or not what its name says; make it anew"
            ) from None
        self._unpacked_bytes += len(chunk)
        self._check()
        return bytes(chunk)

    def _check(self) -> None:
        limits, out = self._limits, self._unpacked_bytes
        if out > limits.max_unpacked_bytes:
            raise refuse_excess(
                repr(self._name), "max_unpacked_bytes", limits.max_unpacked_bytes, f"{out:,} bytes came out so far"
            )
        packed = max(self._file.tell(), 1)
        if out > RATIO_FREE_BYTES and out > packed * limits.max_unpack_ratio:
            found = f"{out:,} bytes came out of the first {packed:,}, {out // packed:,} times as many"
            raise refuse_excess(repr(self._name), "max_unpack_ratio", limits.max_unpack_ratio, found)


class _Decoder(Protocol):
    """Unpacks one stream, as `LZMADecompressor` and `BZ2Decompressor` do."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Streams:
    """Compressed streams in a row. LZMAFile has no bound on memory, and BZ2File takes a damaged stream for the end."""

    def __init__(self, file: ByteSource, build_decoder: Callable[[], _Decoder]) -> None:
        self._file = file
        self._build_decoder = build_decoder
        self._decoder: _Decoder | None = None
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        while True:
            if self._decoder is None or self._decoder.eof:
                if not self._find_stream():
                    return b""
                self._decoder = self._build_decoder()
            elif self._decoder.needs_input:
                self._rest = self._file.read(_CHUNK_BYTES)
                if not self._rest:
                    raise EOFError
            chunk = self._decoder.decompress(self._rest, size)
            self._rest = b""
            if chunk:
                return chunk

    def _find_stream(self) -> bool:
        """Read on to the next stream, past the zeros that may stand between two; False at the end of the file."""
        self._rest = self._decoder.unused_data if self._decoder is not None else b""
        while not (rest := self._rest.lstrip(b"\0")):
            self._rest = self._file.read(_CHUNK_BYTES)
            if not self._rest:
                if self._decoder is None:
                    raise EOFError
                return False
        self._rest = rest
        return True


class _Borrowed:
    """A file that Arrow may not close: it does so when its own reader goes, and the file is needed after that."""

    closed = False

    def __init__(self, file: WatchedFile) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""
        return self._file.read(size) or b""

    def close(self) -> None:
        """Nothing."""


def _open_codec(file: WatchedFile, codec: str) -> ByteSource:
    match codec:
        case ".gz":
            return gzip.GzipFile(fileobj=file)
        case ".bz2":
            return _Streams(file, bz2.BZ2Decompressor)
        case ".xz":
            return _Streams(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES))
        case _:
            return pa.CompressedInputStream(pa.PythonFile(_Borrowed(file), mode="r"), "zstd")  # type: ignore[no-any-return]
