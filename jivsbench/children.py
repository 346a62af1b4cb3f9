"""Child processes that never outlive their parent.

A child runs in a session of its own, so that Ctrl-C in the terminal reaches the parent alone, which then stops its
children in order. A child holds the read end of its standard input: when the parent dies, however it dies, that pipe
closes and the child ends itself (`stop_with_parent`). Servers that cannot watch a pipe get a signal from the kernel
instead (`build_parent_death_signal`).
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_READ_BYTES = 65_536


@dataclass(slots=True)
class Child:
    """A running child process, and the only way to end it."""

    name: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Process id; also the id of its process group."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """True while the process runs."""
        return self.process.poll() is None

    @property
    def stdout(self) -> IO[bytes]:
        """What the child writes; only for a child started with `reads_stdout`."""
        stream = self.process.stdout
        if stream is None:
            raise ValueError(f"{self.name} was started without a readable standard output")
        return stream

    def send(self, text: str) -> None:
        """Write to the child's standard input, which stays open until `stop`."""
        stream = self.process.stdin
        if stream is None:
            raise ValueError(f"{self.name} was started without a standard input")
        stream.write(text.encode())
        stream.flush()

    def read_line(self, timeout_s: float) -> bytes:
        """The first line that the child writes, and nothing else; only for a child started with `reads_stdout`.

        Raises TimeoutError when it is not whole in time, and EOFError when the child ends before.
        """
        give_up_at_s = time.monotonic() + timeout_s
        stream, line = self.stdout.fileno(), b""
        # Not `select`, which knows the first 1024 files of a process alone.
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        while not line.endswith(b"\n"):
            if not poll.poll(max(give_up_at_s - time.monotonic(), 0.0) * 1000):
                raise TimeoutError(f"{self.name} wrote nothing within {timeout_s:g} s")
            part = os.read(stream, _READ_BYTES)
            if not part:
                raise EOFError(f"{self.name} ended without a word")
            line += part
        return line

    def stop(self, grace_s: float = 5.0, first: signal.Signals = signal.SIGTERM) -> int:
        """End the child and everything in its group: close its input, ask, then kill. Returns its exit status."""
        if self.is_alive:
            self._close(self.process.stdin)
            self._signal(first)
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
        # The leader is gone; a grandchild it left behind goes too.
        self._signal(signal.SIGKILL)
        status = self.process.wait()
        self._close(self.process.stdin)
        self._close(self.process.stdout)
        return status

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    @staticmethod
    def _close(stream: IO[bytes] | None) -> None:
        if stream is not None:
            try:
                stream.close()
            except BrokenPipeError:
                return


def start_child(
    name: str,
    argv: Sequence[str],
    *,
    log: Path,
    reads_stdout: bool = False,
    holds_stdin: bool = True,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    user: str | None = None,
    umask: int | None = None,
) -> Child:
    """Start a child whose errors (and output, unless it is read) are appended to `log`.

    `user` names a system user to run as, with its own primary group, for a parent that is root.
    """
    # For the owner alone: what a child says on its way down can repeat what it was told.
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab") as sink:
        process = subprocess.Popen(  # noqa: S603 - argv is built by us, never by a shell
            list(argv),
            stdin=subprocess.PIPE if holds_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE if reads_stdout else sink,
            stderr=sink,
            cwd=cwd,
            env=env,
            start_new_session=True,
            user=user,
            group=primary_group(user),
            extra_groups=[] if user else None,
            umask=-1 if umask is None else umask,
            preexec_fn=None if holds_stdin else build_parent_death_signal(),  # noqa: PLW1509 - one prctl, no locks taken
        )
    return Child(name, process)


def start_python_child(
    name: str,
    module: str,
    *,
    log: Path,
    message: str,
    reads_stdout: bool = True,
    python: Path | None = None,
    environment: Mapping[str, str] | None = None,
    umask: int | None = None,
) -> Child:
    """Start `python -m module` and send it one line of JSON; secrets travel this way, never in argv or environment.

    With `python`, the interpreter of another environment, nothing of this one is seen: neither the current folder nor PYTHONPATH.
    `environment` is added to this process's variables.
    """
    interpreter = [sys.executable] if python is None else [str(python), "-I"]
    env = {**os.environ, **environment} if environment else None
    child = start_child(name, [*interpreter, "-m", module], log=log, reads_stdout=reads_stdout, env=env, umask=umask)
    try:
        child.send(message.replace("\n", " ") + "\n")
    except BrokenPipeError:
        # It died at once; whoever waits for its first answer finds out and reads the log.
        return child
    return child


def primary_group(user: str | None) -> int | None:
    """Group id that a system user's processes run with; None for None."""
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


def build_parent_death_signal() -> Callable[[], None] | None:
    """What a new child runs before exec to get SIGINT when the parent's *thread* ends; None off Linux.

    The library is loaded here, in the parent: loading it after the fork could wait for a lock that nobody holds any more.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)

    return ask_kernel


def stop_with_parent(stream: IO[str], stop: Callable[[], object]) -> threading.Thread:
    """In a child: call `stop` once `stream` (its standard input, after the first line) ends. Returns the watching thread."""

    def watch() -> None:
        for _line in stream:
            pass
        stop()

    thread = threading.Thread(target=watch, name="stop-with-parent", daemon=True)
    thread.start()
    return thread
