"""Runs a service in the foreground: socket, event loop, signals, and an end within five seconds."""

import asyncio
import contextlib
import errno
import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn

from jivsbench.errors import EnvironmentProblem, PortInUseError
from jivsbench.model.secret import Secret
from jivsbench.service.application import build_app
from jivsbench.service.assembly import Service, assemble
from jivsbench.service.log_lines import log_to_stderr
from jivsbench.service.spec import ServiceSpec

_LOG = logging.getLogger(__name__)
_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 75
_ANSWERS_END_S: Final = 1
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - names them, does not bind to them


def serve(spec: ServiceSpec, on_ready: Callable[[str], None]) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP (under `nohup` the first two); `on_ready` gets the base URL once requests are accepted.

    Raises PortInUseError, NoGuardError and whatever else the spec asks for and this machine lacks, before it listens.
    """
    ServiceServer(spec).run(on_ready)


class ServiceServer:
    """One service and its HTTP server. `run` once; `stop` from any thread, at any time."""

    def __init__(self, spec: ServiceSpec) -> None:
        self._spec = spec
        self._server: _Server | None = None
        self._is_stopped = threading.Event()

    def run(self, on_ready: Callable[[str], None]) -> None:
        """Serve until `stop` or a signal; then end jobs and connections."""
        spec = self._spec
        log_to_stderr(_list_secrets(spec))
        _share_freed_memory()
        listener = _listen(spec.host, spec.port)
        with contextlib.closing(listener):
            service = assemble(spec)
            try:
                self._server = _Server(service, lambda: on_ready(_format_base_url(spec.host, listener)))
                if not self._is_stopped.is_set():
                    # What was built until now lives as long as the process: no collection need look at it again.
                    gc.collect()
                    gc.freeze()
                    self._server.run([listener])
            finally:
                service.close()

    def stop(self) -> None:
        """End the service soon. Returns at once."""
        self._is_stopped.set()
        if self._server is not None:
            self._server.stop_from_thread()


class _Server(uvicorn.Server):
    """uvicorn with our signals, and a word when it accepts."""

    def __init__(self, service: Service, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                build_app(service),
                loop="uvloop",
                http="httptools",
                ws="none",
                proxy_headers=False,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_ANSWERS_END_S,
            )
        )
        self._service = service
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept requests, then say so."""
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            # Through the loop: a handler that interrupts any line could meet a lock that the same thread holds.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                # `nohup` has it ignored, and means that.
                if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                    self._loop.add_signal_handler(number, self._begin_end)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: signals are handled by the loop, and are not raised again at the end."""
        yield

    def stop_from_thread(self) -> None:
        """Begin the end, from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._begin_end)

    def _begin_end(self) -> None:
        self.should_exit = True
        # Whoever waits for a job gets the job as it is, so that no connection stays open for 30 s.
        self._service.runner.refuse_more()


def _share_freed_memory() -> None:
    """Let Arrow take its memory from the C library.

    Its own allocator keeps what each thread freed for that thread: ten jobs of 5,000 rows at a time peaked at 420 MB against
    250 to 270, for the same CPU. Loading Arrow here costs nothing: the connectors need it anyway.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Two sockets may be bound to one port as long as neither listens: only now it is ours.
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        if exc.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"the service was to listen on {host}:{port}, where another process listens: "
                "name another with --port, or 0 for a free one"
            ) from exc
        raise EnvironmentProblem(f"the service cannot listen on {host}:{port} ({exc.strerror}): name another address") from exc
    return listener


def _format_base_url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    reached = _WILDCARDS.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _list_secrets(spec: ServiceSpec) -> tuple[Secret, ...]:
    given = (spec.cache_url, spec.metadata_url, spec.mask_key, spec.credential_key)
    declared = (*(source.url for source in spec.sources), *(token.token for token in spec.tokens))
    return tuple(Secret(text) for text in (*given, *declared) if text)
