"""Servers of a check's own that stand where a password would be sent: one that can be trusted, and six that cannot.

Each keeps what its clients say, encrypted or not. Whoever does not ask for TLS is served without it: an attacker would.
"""

import contextlib
import socket
import ssl
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from jivsbench_security.servers.certificates import SERVER_ADDRESS, Certificates

_PATIENCE_S: Final = 3.0
_PAUSE_S: Final = 0.05
_KEPT_BYTES: Final = 65_536
_CHUNK_BYTES: Final = 4096
_ROUND_TRIPS: Final = 3


class Line(StrEnum):
    """What is wrong with a server, or nothing."""

    TRUSTED = "a server with a valid certificate"
    NO_TLS = "a server without TLS"
    STRIPPED = "a proxy that says that there is no TLS, and speaks TLS to the server itself"
    SELF_SIGNED = "a self-signed certificate"
    WRONG_HOST = "a certificate for another host"
    EXPIRED = "a certificate that has expired"
    OLD_TLS = "a server that speaks TLS 1.0 alone"

    @property
    def has_tls(self) -> bool:
        """True for a server that can encrypt."""
        return self not in {Line.NO_TLS, Line.STRIPPED}


HOSTILE: Final = tuple(line for line in Line if line is not Line.TRUSTED)


def build_context(line: Line, certificates: Certificates) -> ssl.SSLContext:
    """TLS as such a server speaks it."""
    file: Path = {
        Line.SELF_SIGNED: certificates.self_signed,
        Line.WRONG_HOST: certificates.wrong_host,
        Line.EXPIRED: certificates.expired,
    }.get(line, certificates.good)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if line is Line.OLD_TLS:
        allow_tls_1_0(context)
    return context


def allow_tls_1_0(context: ssl.SSLContext) -> None:
    """TLS 1.0 and nothing else, which OpenSSL gives only to whoever asks for security level 0."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1


def list_testable(certificates: Certificates) -> tuple[Line, ...]:
    """The hostile servers that this machine can be: not every OpenSSL still speaks TLS 1.0."""
    return tuple(line for line in HOSTILE if line is not Line.OLD_TLS or _speaks_tls_1_0(certificates))


def _speaks_tls_1_0(certificates: Certificates) -> bool:
    """A whole handshake, without a network."""
    if not ssl.HAS_TLSv1:
        return False
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname, client_context.verify_mode = False, ssl.CERT_NONE
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        allow_tls_1_0(client_context)
        server = build_context(Line.OLD_TLS, certificates).wrap_bio(there, back, server_side=True)
        client = client_context.wrap_bio(back, there)
        for _ in range(_ROUND_TRIPS):
            for side in (client, server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except (ssl.SSLError, ValueError):
        return False
    return client.version() == "TLSv1"


class Front(ABC):
    """Listens on a free port of 127.0.0.1; each connection has a thread. A context manager."""

    def __init__(self, line: Line, certificates: Certificates, trusted_port: int | None = None) -> None:
        self.line = line
        self._contexts = {one: build_context(one, certificates) for one in self._list_lines() if one.has_tls}
        self._trusted_port = trusted_port
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._met: list[Line] = []
        self._heard: dict[Line, bytes] = {}
        self._open: dict[int, socket.socket] = {}
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((SERVER_ADDRESS, 0))
        self.port: Final[int] = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _list_lines(self) -> tuple[Line, ...]:
        """What this server may be."""
        return (self.line,)

    @abstractmethod
    def _talk(self, client: socket.socket, line: Line) -> None:
        """Serve one connection. Everything that the client says has to be passed to `_note`."""

    @property
    def met(self) -> tuple[Line, ...]:
        """What this server was when a client said something, once a connection."""
        with self._lock:
            return tuple(self._met)

    def count_heard(self, text: str, line: Line) -> int:
        """How often somebody has said it to a server of that kind."""
        with self._lock:
            return self._heard.get(line, b"").count(text.encode())

    def cut(self) -> None:
        """End every connection."""
        with self._lock:
            opened = tuple(self._open.values())
        for one in opened:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_closed.set()
        # A thread that waits in accept() is woken by this, and by no close.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in tuple(self._threads):
            thread.join(_PATIENCE_S)

    def _accept(self) -> None:
        while not self._is_closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                # Closed; or this process has no file left for the moment, and the client waits meanwhile.
                self._is_closed.wait(_PAUSE_S)
                continue
            thread = threading.Thread(target=self._serve, args=(client, self._choose()), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _choose(self) -> Line:
        """What the server is for the next connection."""
        return self.line

    def _serve(self, client: socket.socket, line: Line) -> None:
        client.settimeout(_PATIENCE_S)
        self._keep(client)
        try:
            with contextlib.suppress(OSError):
                self._talk(client, line)
        finally:
            with self._lock:
                self._open.pop(threading.get_ident()).close()

    def _keep(self, client: socket.socket) -> None:
        with self._lock:
            self._open[threading.get_ident()] = client

    def _encrypt(self, client: socket.socket, line: Line) -> socket.socket:
        # The socket itself is taken out of its object by this.
        try:
            encrypted = self._contexts[line].wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            raise
        self._keep(encrypted)
        return encrypted

    def _note_meeting(self, line: Line) -> None:
        with self._lock:
            self._met.append(line)

    def _note(self, line: Line, said: bytes) -> bytes:
        with self._lock:
            self._heard[line] = (self._heard.get(line, b"") + said)[:_KEPT_BYTES]
        return said

    def _relay(self, client: socket.socket, line: Line, first: bytes, greet: Callable[[socket.socket], None]) -> None:
        """Pass a client that speaks in clear on to the trusted server, over TLS."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        assert self._trusted_port is not None
        with socket.create_connection((SERVER_ADDRESS, self._trusted_port), timeout=_PATIENCE_S) as plain:
            greet(plain)
            with context.wrap_socket(plain) as server:
                server.sendall(first)
                threading.Thread(target=_pump, args=(server, client), daemon=True).start()
                while said := client.recv(_CHUNK_BYTES):
                    server.sendall(self._note(line, said))


def read_exactly(client: socket.socket, size: int) -> bytes:
    """So many bytes. Raises ConnectionError when there are no more."""
    got = bytearray()
    while len(got) < size:
        part = client.recv(size - len(got))
        if not part:
            raise ConnectionError
        got += part
    return bytes(got)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while chunk := source.recv(_CHUNK_BYTES):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_RDWR)
