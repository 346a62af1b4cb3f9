"""Requests as they go over the wire, and whole answers: status, headers and bytes. For checks that judge how a target answers."""

import http.client
import json
import select
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from jivsbench.model.secret import Secret

API: Final = "/api/v1"
CORRELATION: Final = "x-correlation-id"
_TIMEOUT_S: Final = 45.0
_ERRORS: Final = range(400, 600)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what came back; status 0 when nothing did."""

    method: str
    path: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def is_error(self) -> bool:
        """True when the answer is that this was not done, whosever fault it is."""
        return self.status in _ERRORS

    @property
    def document(self) -> Mapping[str, Any]:
        """The body, when it is a JSON object; else empty."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def raw(self) -> bytes:
        """Everything that the caller sees."""
        head = "\n".join(f"{key}: {value}" for key, value in self.headers)
        return head.encode("latin-1", "replace") + b"\n" + self.body


class Client:
    """Sends requests over one kept connection, and keeps every answer."""

    def __init__(self, base_url: str, token: Secret) -> None:
        parts = urlsplit(base_url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        self._token = token
        self.exchanges: list[Exchange] = []

    def send(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None, token: str | None = None
    ) -> Exchange:
        """One request. `body` may be bytes; `token` "" sends none. Never raises for what the target does."""
        authorization = self._token.reveal() if token is None else token
        sent = {"Authorization": f"Bearer {authorization}"} if authorization else {}
        sent |= headers or {}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            if self._connection.sock is not None and select.select([self._connection.sock], [], [], 0.0)[0]:
                # Nothing was asked, so this is the server's end: it lets go of a connection that was idle for long.
                self._connection.close()
            self._connection.request(method, path, data, sent)
            answer = self._connection.getresponse()
            found = Exchange(method, path, answer.status, tuple(answer.getheaders()), answer.read())
        except (BrokenPipeError, ConnectionResetError):
            found = self._read_early_answer(method, path)
            self._connection.close()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            found = Exchange(method, path, 0, (), b"")
        self.exchanges.append(found)
        return found

    def _read_early_answer(self, method: str, path: str) -> Exchange:
        """What a server said that did not want to hear all of a body; status 0 when it said nothing."""
        if self._connection.sock is None:
            return Exchange(method, path, 0, (), b"")
        try:
            answer = self._connection.getresponse()
            return Exchange(method, path, answer.status, tuple(answer.getheaders()), answer.read())
        except (OSError, http.client.HTTPException):
            return Exchange(method, path, 0, (), b"")

    def run(self, body: Mapping[str, object], wait_s: int = 30) -> Exchange:
        """Create an extraction, start it and wait; the last answer. A refusal ends it early."""
        created = self.send("POST", f"{API}/extractions", body)
        job = created.document.get("id")
        if not isinstance(job, str):
            return created
        started = self.send("POST", f"{API}/extractions/{job}/start")
        if started.is_error:
            return started
        return self.send("GET", f"{API}/extractions/{job}?wait_s={wait_s}")

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
