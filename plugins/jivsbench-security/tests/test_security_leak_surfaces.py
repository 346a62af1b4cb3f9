"""Where secrets are looked for: what cannot be looked through is no finding, and what has ended is no obstacle."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import redis

from jivsbench.errors import InvalidRunError
from jivsbench_security.leaks import leak_surfaces
from jivsbench_security.leaks.leak_surfaces import read_cache, read_files, read_process


def test_a_folder_that_is_too_large_is_no_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was looked at, which is not the target's fault."""
    (tmp_path / "a").write_bytes(b"x" * 100)
    monkeypatch.setattr(leak_surfaces, "_MOST_BYTES", 50)

    with pytest.raises(InvalidRunError, match="larger than"):
        list(read_files(tmp_path, "the output folder"))


def test_a_child_that_ends_meanwhile_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process itself and its other children are looked at all the same; without the process itself nothing is."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        monkeypatch.setattr(leak_surfaces, "_list_children", lambda _pid: [2**22 - 1, living.pid])
        told = dict.fromkeys(place for place, _ in read_process(os.getpid()))
        commands = [content for place, content in read_process(os.getpid()) if place.endswith("cmdline")]
        living.communicate(b"\n")

    assert "/proc/PID/fd" in told
    assert any(b"input()" in command for command in commands)
    with pytest.raises(OSError, match="No such"):
        list(read_process(2**22 - 1))


class ForbiddingRedis:
    """A client of a server that lists its keys and gives no value."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def scan_iter(self, count: int) -> list[bytes]:
        """One key."""
        return [b"key"][:count]

    def get(self, _key: bytes) -> bytes:
        """Not for this user."""
        raise redis.exceptions.NoPermissionError("NOPERM")


def test_values_that_may_not_be_read_are_not_free_of_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and not passed over."""
    client: Any = SimpleNamespace(from_url=lambda *_, **__: ForbiddingRedis())
    monkeypatch.setattr(redis, "Redis", client)

    with pytest.raises(redis.exceptions.NoPermissionError):
        list(read_cache("redis://nobody"))
