"""A small paged JSON API that serves the seeded rows: what a mix's REST source reads. Run as a process of its own.

`GET /v1/rows_N?offset=O&limit=L` answers `{"total": N, "records": [...]}` to whoever has the token. It keeps every row as text,
so that it costs next to nothing beside the target; it is still a server on the same machine, and reports call it that.
"""

import json
import secrets
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import TypeAdapter

from jivsbench.children import start_python_child, stop_with_parent
from jivsbench.dataset import SCHEMA, Dataset
from jivsbench.embedded.folders import last_line
from jivsbench.errors import EmbeddedServerError
from jivsbench.model.secret import Secret

PAGE_ROWS: Final = 1000
_READY_WITHIN_S: Final = 120.0
"""For a million rows on a busy machine."""
_PREFIX: Final = "/v1/"
_VERSION_HEADER: Final = "X-Data-Version"
_MOST_ROWS_OF_A_PAGE: Final = 10_000
_COLUMNS: Final = (
    "id:int64,uuid:string,name:string,email:string,status:string,amount:decimal(10,2),category:string,"
    "description:string,metadata:string,created_at:timestamptz,updated_at:timestamptz"
)


@dataclass(frozen=True, slots=True)
class PagedData:
    """What the child is told: the data set, the sizes that are served as tables, and who may read."""

    dataset: Dataset
    sizes: tuple[int, ...]
    token: str


@contextmanager
def start_paged_api(dataset: Dataset, sizes: Sequence[int], log: Path) -> Iterator[Secret]:
    """The URL of a running API, for the connector `rest`; gone at the end of the block. Raises EmbeddedServerError."""
    data = PagedData(dataset, tuple(sizes), secrets.token_urlsafe(24))
    message = TypeAdapter(PagedData).dump_json(data).decode()
    child = start_python_child("paged API", "jivsbench.embedded.paged_api", log=log, message=message)
    try:
        try:
            answer = child.read_line(_READY_WITHIN_S)
        except (TimeoutError, EOFError) as exc:
            raise EmbeddedServerError(f"the paged API of the REST source did not start: {last_line(log)}") from exc
        options = urlencode(
            {
                "paging": "offset",
                "page_size": PAGE_ROWS,
                "records": "records",
                "total": "total",
                "version": _VERSION_HEADER,
                "resources": ",".join(f"rows_{size}" for size in sizes),
                "columns": _COLUMNS,
            }
        )
        yield Secret(f"rest+http://:{data.token}@127.0.0.1:{int(answer)}{_PREFIX.rstrip('/')}?{options}")
    finally:
        child.stop()


class _Server(ThreadingHTTPServer):
    """Holds the rows."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, data: PagedData) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.authorization = f"Bearer {data.token}"
        self.totals = {f"rows_{size}": size for size in data.sizes}
        self.rows = list(islice(_format_rows(data.dataset), max(data.sizes)))
        self.version = f"seed-{data.dataset.seed}"


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        """One page."""
        if not secrets.compare_digest(self.headers.get("Authorization", ""), self.server.authorization):
            self._answer(HTTPStatus.UNAUTHORIZED, b'{"problem": "no such token"}')
            return
        parts = urlsplit(self.path)
        total = self.server.totals.get(parts.path.removeprefix(_PREFIX))
        if total is None:
            self._answer(HTTPStatus.NOT_FOUND, b'{"problem": "no such resource"}')
            return
        asked = parse_qs(parts.query)
        try:
            offset, limit = int(asked.get("offset", ["0"])[0]), int(asked.get("limit", [str(PAGE_ROWS)])[0])
        except ValueError:
            offset, limit = -1, 0
        if offset < 0 or not 0 < limit <= _MOST_ROWS_OF_A_PAGE:
            self._answer(HTTPStatus.BAD_REQUEST, b'{"problem": "offset and limit are whole numbers"}')
            return
        records = b",".join(self.server.rows[offset : min(offset + limit, total)])
        self._answer(HTTPStatus.OK, b'{"total": %d, "records": [%b]}' % (total, records))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """A line for every page would be the most that this process does."""

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header(_VERSION_HEADER, self.server.version)
        self.end_headers()
        self.wfile.write(body)


def _format_rows(dataset: Dataset) -> Iterator[bytes]:
    for batch in dataset.batches():
        for row in batch.to_pylist():
            # Ten digits are exact in a float's shortest text, which is what JSON gets.
            row["amount"] = float(row["amount"])
            for name in ("created_at", "updated_at"):
                row[name] = row[name].isoformat()
            assert tuple(row) == tuple(SCHEMA.names), "declared columns are those of the data set"
            yield json.dumps(row, ensure_ascii=False).encode()


def main() -> int:
    """Serve until standard input ends; the port is answered on standard output once every row is there."""
    data = TypeAdapter(PagedData).validate_json(sys.stdin.readline())
    with _Server(data) as server:
        server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stop_with_parent(sys.stdin, server.shutdown)
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever(poll_interval=0.2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
