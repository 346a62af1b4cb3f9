"""Pages on disk between the look at their types and the reading, so that what is read is what was looked at."""

import tempfile
from collections.abc import Iterator

from jivsbench.errors import OutputError

_LENGTH_BYTES = 8


class Spool:
    """Bodies of answers in a nameless temporary file, which is gone when it is closed or its process ends."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed by `close`

    def append(self, body: bytes) -> None:
        """Keep one more. Raises OutputError when there is no room."""
        try:
            self._file.write(len(body).to_bytes(_LENGTH_BYTES))
            self._file.write(body)
            self._file.flush()
        except OSError as problem:
            raise OutputError(
                f"pages could not be kept in {tempfile.gettempdir()} ({problem.strerror}): make room, name another by TMPDIR, or "
                "declare `columns`"
            ) from None

    def bodies(self) -> Iterator[bytes]:
        """All, in order."""
        self._file.seek(0)
        while length := self._file.read(_LENGTH_BYTES):
            yield self._file.read(int.from_bytes(length))

    def close(self) -> None:
        """Let go of the disk's space."""
        self._file.close()
