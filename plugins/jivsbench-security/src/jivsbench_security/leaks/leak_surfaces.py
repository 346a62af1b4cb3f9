"""Where SEC-019 looks for secrets: everything that a target writes, answers, stores or shows of its process."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import redis

from jivsbench.api import CheckContext
from jivsbench.errors import InvalidRunError
from jivsbench.model.table import ExtractionRequest

_MOST_BYTES: Final = 64 << 20
_MOST_KEYS: Final = 20_000
_TIMEOUT_S: Final = 5.0
_PROCESS_FILES: Final = ("cmdline", "environ", "comm", "status")
# Every text that the server shows of a session; nobody but a superuser sees other users' queries.
_ACTIVITY: Final = "SELECT application_name, query, CAST(backend_start AS text) AS began FROM pg_stat_activity"


def read_files(folder: Path, place: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of all files of a folder; links are not followed."""
    left = _MOST_BYTES
    for directory, _, names in os.walk(folder):
        for name in names:
            path = Path(directory, name)
            if path.is_symlink() or not path.is_file():
                continue
            size = path.stat().st_size
            left -= size
            if left < 0:
                raise InvalidRunError(f"{place} is larger than {_MOST_BYTES >> 20} MiB: it cannot be looked through")
            where = f"{place}, {path.relative_to(folder).parts[0]}" if place == "the output folder" else place
            yield where, path.name.encode() + b"\n" + path.read_bytes()


def read_process(pid: int) -> Iterator[tuple[str, bytes]]:
    """Command line, environment and the names of open files, of the process and its children. Raises OSError without /proc."""
    yield from _read_one(pid)
    for child in _list_children(pid):
        # One that has ended meanwhile shows nothing any more.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield from _read_one(child)


def read_cache(url: str) -> Iterator[tuple[str, bytes]]:
    """Every key of a cache server, and what is stored under it, through a client of the check's own.

    Raises NoPermissionError when the URL's user may not look.
    """
    with redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S) as client:
        for number, key in enumerate(client.scan_iter(count=1000)):
            if number >= _MOST_KEYS:
                raise InvalidRunError(f"the cache holds more than {_MOST_KEYS} keys: it cannot be looked through")
            yield "a cache key", bytes(key)
            # The service stores strings alone; DUMP, which reads whatever there is, is a right that it does not need.
            try:
                yield "a cache value", bytes(client.get(key) or b"")
            except redis.exceptions.NoPermissionError:
                raise
            except redis.ResponseError:
                # No string: of somebody else's, in a server that the target shares.
                continue


def read_activity(context: CheckContext) -> bytes:
    """What PostgreSQL shows of its sessions, as its owner sees it."""
    request = ExtractionRequest(source=context.source, query=_ACTIVITY)
    with context.oracle() as connection:
        connection.begin()
        schema = connection.schema(request)
        rows = [
            row
            for partition in connection.partitions(request, schema, 1)
            for batch in connection.read(partition)
            for row in batch.to_pylist()
        ]
    return "\n".join(_join(row) for row in rows).encode()


def _join(row: Mapping[str, object]) -> str:
    return " ".join(str(value) for value in row.values())


def _read_one(pid: int) -> Iterator[tuple[str, bytes]]:
    folder = Path("/proc", str(pid))
    for name in _PROCESS_FILES:
        yield f"/proc/PID/{name}", (folder / name).read_bytes()
    links = []
    for link in (folder / "fd").iterdir():
        # A file that is closed meanwhile.
        with contextlib.suppress(FileNotFoundError):
            links.append(str(link.readlink()))
    yield "/proc/PID/fd", "\n".join(links).encode()


def _list_children(pid: int) -> list[int]:
    return [int(child) for task in Path("/proc", str(pid), "task").iterdir() for child in (task / "children").read_text().split()]
