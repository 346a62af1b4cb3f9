"""What tests need of the machine that this project does not bring: in CI it has to be there, elsewhere its tests are left out."""

import os
import socket
from collections.abc import Callable
from typing import NoReturn
from urllib.parse import urlsplit

import pytest


def leave_out(reason: str) -> NoReturn:
    """Skip the test for that reason; in CI, where nothing may be left out unseen, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and in CI its tests may not be skipped")
    pytest.skip(reason)


def require_answer(url: str, product: str, port: int) -> None:
    """Leave the test out unless the server of that URL, which this project did not start, accepts a connection.

    `port` is the one it has when the URL names none.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or port
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        leave_out(f"no {product} answers on {host}:{port}")


def fastest(attempt: Callable[[], float], limit_s: float) -> float:
    """The shortest of up to three times of an attempt, in s: a busy machine may stop any of them, but not all."""
    took_s = [attempt()]
    while min(took_s) >= limit_s and len(took_s) < 3:
        took_s.append(attempt())
    return min(took_s)


def free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
