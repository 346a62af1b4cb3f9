"""A small HTTP API with pages of JSON, which does wrong when it is told to."""

import json
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Fault = Callable[["Handler"], bool]
"""Answers one request in its own way; False: go on as usual."""


class JsonApi:
    """Serves `resources` under /v1/NAME to whoever shows the token, paged by whichever parameters a request has."""

    def __init__(self) -> None:
        self.resources: dict[str, list[dict[str, Any]]] = {}
        self.token = "t0ken-of-the-api"
        self.faults: list[Fault] = []
        """Each takes one request; the first of the list takes the next."""
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.extra_headers: dict[str, str] = {}
        self.largest_page = 1000
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.api = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from the next connection on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """Clients that leave in the middle are what the tests are about."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: tests are quiet."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    timeout = 20
    # One packet an answer: the kernel would hold the second one back.
    wbufsize = -1

    @property
    def api(self) -> JsonApi:
        """The API that is asked."""
        return self.server.api  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        """Let a fault answer, or answer."""
        self.api.asked.append(self.path)
        self.api.headers.append(dict(self.headers))
        if self.api.faults and self.api.faults.pop(0)(self):
            return
        if self.headers.get("Authorization") != f"Bearer {self.api.token}":
            self.reply(401, b"{}")
            return
        self.reply(*self.answer())

    def answer(self) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of the page that is asked for."""
        parts = urlsplit(self.path)
        records = self.api.resources.get(parts.path.removeprefix("/v1/"))
        if records is None:
            return 404, b'{"error": "unknown"}', {}
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        size = min(int(asked.get("limit", len(records) + 1)), self.api.largest_page)
        start = int(asked.get("cursor") or asked.get("offset") or (int(asked.get("page", 1)) - 1) * size)
        more = start + size < len(records)
        page = {"data": records[start : start + size], "next": str(start + size) if more else None, "total": len(records)}
        headers = {"X-Total-Count": str(len(records)), **self.api.extra_headers}
        if more:
            headers["Link"] = (
                f'</v1/first>; rel="first", <{parts.path}?limit={size}&cursor={start + size}>; title="a, b"; rel="next"'
            )
        return 200, json.dumps(page, default=_encode).encode(), headers

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None, kind: str = "application/json") -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Nothing: tests are quiet."""


def _encode(value: object) -> object:
    match value:
        case Decimal():
            return str(value)
        case datetime():
            return value.isoformat()
    raise TypeError
