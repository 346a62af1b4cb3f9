"""A PostgreSQL whose process a test may kill and start again, on the same port with the same data."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from jivsbench.children import Child, start_child
from jivsbench.embedded import postgres as embedded
from jivsbench.embedded.folders import free_port, private_folder, server_user

_PASSWORD = "restartable"


class RestartablePostgres:
    """One data folder, one port, and at most one server process. Its superuser is the embedded server's owner."""

    def __init__(self, programs: Path, data: Path, user: str | None) -> None:
        self._programs, self._data, self._user = programs, data, user
        self._child: Child | None = None
        self.port = free_port()
        self.url = f"postgresql://{embedded._OWNER}:{_PASSWORD}@127.0.0.1:{self.port}/{embedded._DATABASE}"

    def start(self, *settings: str) -> None:
        """Start the process; returns before it accepts anybody."""
        options = [part for setting in ("wal_level=replica", *settings) for part in ("-c", setting)]
        self._child = start_child(
            "restartable PostgreSQL",
            [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port), *options],
            log=self._data.parent / "server.log",
            holds_stdin=False,
            cwd=Path("/"),
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=self._user,
        )

    def kill(self) -> None:
        """Kill the postmaster and every backend, as a crash would."""
        assert self._child
        self._child.stop(0.0, signal.SIGKILL)

    def shut_down(self) -> None:
        """End it properly, so that it can start as something else."""
        assert self._child
        self._child.stop(20.0, signal.SIGINT)

    def wait_until_it_accepts(self) -> float:
        """The monotonic time at which a session could be opened; asks every few milliseconds."""
        give_up_at_s = time.monotonic() + 60.0
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                assert time.monotonic() < give_up_at_s, "the server does not come back"
                time.sleep(0.005)
            else:
                return time.monotonic()

    def become_standby(self) -> None:
        """At the next start it is a standby that takes no sessions: every log-in is answered with 57P03."""
        (self._data / "standby.signal").touch()

    def promote(self) -> None:
        """Let a standby become a server that takes sessions."""
        assert self._child
        (self._data / "promote").touch()
        os.kill(self._child.pid, signal.SIGUSR1)


@contextmanager
def restartable_postgres() -> Iterator[RestartablePostgres]:
    """A server that accepts connections; killed and removed at the end of the block, whatever became of it."""
    user = server_user()
    with private_folder("restartable", user) as folder:
        programs = embedded._runnable_programs(embedded.find_postgres_programs(), folder, user)
        data = folder / "data"
        embedded._initialize(programs, data, {embedded._OWNER: _PASSWORD, embedded._READER: _PASSWORD}, user)
        server = RestartablePostgres(programs, data, user)
        server.start()
        try:
            server.wait_until_it_accepts()
            yield server
        finally:
            server.kill()
