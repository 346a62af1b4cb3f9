"""One user's HTTP connection to one target: keep-alive, bounded in time, failures as class and code."""

import errno
import json
import re
import select
import time
from functools import cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import gevent.monkey
import gevent.socket
import gevent.ssl
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketResponse

from jivsbench.api import Response
from jivsbench.load.recorder import Failure
from jivsbench.load.spec import LoadArm
from jivsbench.model.sample import ErrorClass

API: Final = "/api/v1"
_CONNECT_TIMEOUT_S: Final = 5.0
_NETWORK_TIMEOUT_S: Final = 35.0  # a long poll may last 30 s
_IDLE_S: Final = 0.5
_READ_BYTES: Final = 16384
_CLIENT_ERRORS: Final = range(400, 500)
_UNAVAILABLE: Final = 503
_SERVER_ERRORS: Final = 500
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}", re.IGNORECASE)
_ODD_CODE: Final = "unreadable"
# select() knows no file whose number is above 1,023, and gevent's asks it first, in a load of many users with an error.
_open_poll = gevent.monkey.get_original("select", "poll")


class Answer(NamedTuple):
    """What came back, and why it counts as failed, if it does."""

    response: Response
    size_bytes: int
    failure: Failure | None


class TargetClient:
    """Sends one request at a time over one connection. A user that speaks to two arms has two clients.

    The library's own HTTPClient sends a GET again when the connection breaks under it: a failure that nobody would
    count, and a duration of two requests. It also resolves the host in a thread for every connection. So its parser is
    used and its client is not.
    """

    def __init__(self, arm: LoadArm) -> None:
        self.arm = arm
        parts = urlsplit(arm.base_url)
        self._is_tls = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_tls else 80)
        self._prefix = parts.path.rstrip("/") + API
        self._head = (
            f" HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nAuthorization: Bearer {arm.token}\r\n"
            "Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: "
        )
        self._socket: gevent.socket.socket | None = None
        self._used_s = 0.0

    def send(self, method: str, path: str, body: object = None) -> Answer:
        """One request, one answer; never raises for what a network or a server can do."""
        payload = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        request = f"{method} {self._prefix}{path}{self._head}{len(payload)}\r\n\r\n".encode() + payload
        try:
            response = self._exchange(request, method)
            content = response.read()
            if response.should_close():
                self.close()
        except (OSError, HTTPParseError) as exc:
            self.close()
            return Answer(Response(0, None), 0, _classify_exception(exc))
        except BaseException:
            # A user that is abandoned here leaves half an answer behind.
            self.close()
            raise
        self._used_s = time.monotonic()
        status = response.status_code
        return Answer(Response(status, _decode(content)), len(content), _classify_status(status))

    def warm_up(self) -> None:
        """Connect once and let go: the first connection of a process loads what all others use. Never raises."""
        try:
            self._connect().close()
        except OSError:
            # The users will find out, and count it.
            return

    def close(self) -> None:
        """Close the connection; the next request opens another one. May be called twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, request: bytes, method: str) -> HTTPSocketResponse:
        sock = self._socket
        if sock is None or self._was_closed(sock):
            self.close()
            sock = self._socket = self._connect()
        sock.sendall(request)
        return HTTPSocketResponse(sock, block_size=_READ_BYTES, method=method)

    def _was_closed(self, sock: gevent.socket.socket) -> bool:
        """Has the server closed it while nobody used it, as servers do? Then nothing was lost and nothing failed."""
        if time.monotonic() - self._used_s < _IDLE_S:
            return False
        look = _open_poll()
        look.register(sock, select.POLLIN)
        return bool(look.poll(0))

    def _connect(self) -> gevent.socket.socket:
        family, address = _resolve(self._host, self._port)
        sock = gevent.socket.socket(family, gevent.socket.SOCK_STREAM)
        try:
            sock.settimeout(_CONNECT_TIMEOUT_S)
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        sock.setsockopt(gevent.socket.IPPROTO_TCP, gevent.socket.TCP_NODELAY, 1)
        sock.settimeout(_NETWORK_TIMEOUT_S)
        if self._is_tls:
            return gevent.ssl.create_default_context().wrap_socket(sock, server_hostname=self._host)
        return sock


@cache
def _resolve(host: str, port: int) -> tuple[int, tuple[str, int]]:
    """Once for a load: a look-up takes a thread and some milliseconds, which no user should be said to have waited for."""
    family, _kind, _protocol, _name, address = gevent.socket.getaddrinfo(host, port, type=gevent.socket.SOCK_STREAM)[0]
    return family, address


def format_code(text: str) -> str:
    """A code as it may stand in a record: what a target sent may be anything, a message, a value, a novel."""
    return text if _SLUG.fullmatch(text) else _ODD_CODE


def _decode(content: bytes) -> object:
    try:
        return json.loads(content) if content else None
    except (ValueError, RecursionError):
        return None


def _classify_status(status: int) -> Failure | None:
    if status == _UNAVAILABLE:
        return Failure(ErrorClass.REFUSED, str(status))
    if status in _CLIENT_ERRORS:
        return Failure(ErrorClass.CLIENT, str(status))
    return Failure(ErrorClass.SERVER, str(status)) if status >= _SERVER_ERRORS else None


def _classify_exception(exc: OSError | HTTPParseError) -> Failure:
    match exc:
        case ConnectionRefusedError():
            return Failure(ErrorClass.REFUSED, "connect")
        case TimeoutError():
            return Failure(ErrorClass.TIMEOUT, "network")
        case HTTPConnectionClosed():
            return Failure(ErrorClass.CONNECTION, "closed")
        case HTTPParseError():
            return Failure(ErrorClass.CONNECTION, "protocol")
        case _:
            return Failure(ErrorClass.CONNECTION, errno.errorcode.get(exc.errno or 0, type(exc).__name__))
