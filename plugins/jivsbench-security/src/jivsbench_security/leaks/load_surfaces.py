"""Where a load shows texts: the names of Locust's requests, its page and its CSV files, and what the command leaves of a run.

A short load is played by the installed command, as a user does it, with the page that `--ui` serves.
"""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from jivsbench.model.secret import Secret
from jivsbench_security.leaks.leak_surfaces import read_files

_LIMIT_S: Final = 180.0
_POLL_S: Final = 0.3
_ANSWER_S: Final = 5.0
_FIGURES: Final = "/stats/requests"
_PAGES: Final = (
    "/",
    f"{_FIGURES}/csv",
    "/stats/failures/csv",
    "/exceptions",
    "/exceptions/csv",
    "/stats/report",
    "/logs",
    "/tasks",
)
_SCENARIO: Final = """\
name = "leak"
title = "A short load"
gates = ["http.errors ratio < 100 %"]

[workload]
name = "extraction"
table = "{table}"
rows = 10
key = "id"

[[stages]]
duration = "4s"
users = 1
"""


def read_load(folder: Path, source: Secret, table: str, keys: Mapping[str, str]) -> tuple[list[tuple[str, bytes]], str | None]:
    """What a load shows and leaves, by place; and why it was not seen whole, if so. `keys`: variables with secrets of their own.

    The table needs a column `id`.
    """
    scenarios, reports, output = folder / "scenarios", folder / "reports", folder / "output"
    scenarios.mkdir()
    (scenarios / "leak.toml").write_text(_SCENARIO.replace("{table}", table))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    own = {name: value for name, value in os.environ.items() if not name.startswith("JIVSBENCH_")}
    told = ["run", "leak", "--ui", "--ui-port", str(port), "--reports-dir", str(reports)]
    found: list[tuple[str, bytes]] = []
    problem = None
    with (
        output.open("wb") as log,
        subprocess.Popen(  # noqa: S603 - this interpreter, with arguments of the check's own
            [sys.executable, "-m", "jivsbench", *told],
            env={**own, **keys, "JIVSBENCH_SOURCE_URL": source.reveal()},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as run,
    ):
        try:
            found += _look_at_page(run, port)
            run.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            problem = f"it did not end within {_LIMIT_S:g} s"
            run.terminate()
    if not found:
        problem = f"it ended with {run.returncode} before its page showed a request"
    found.append(("what the command prints", output.read_bytes()))
    if reports.is_dir():
        found += read_files(reports, "the folder of a run")
    return found, problem


def _look_at_page(run: "subprocess.Popen[bytes]", port: int) -> Iterator[tuple[str, bytes]]:
    """Every part of Locust's page, once it shows a request; none when the run ends before that."""
    give_up_at_s = time.monotonic() + _LIMIT_S
    while run.poll() is None and time.monotonic() < give_up_at_s:
        figures = _fetch(port, _FIGURES)
        if _names_request(figures):
            yield "Locust's figures", figures
            # The load may end while it still answers.
            yield from (("Locust's page", content) for path in _PAGES if (content := _fetch(port, path)))
            return
        time.sleep(_POLL_S)


def _names_request(figures: bytes) -> bool:
    try:
        return any(row["name"] != "Aggregated" for row in json.loads(figures)["stats"])
    except (ValueError, KeyError, TypeError):
        return False


def _fetch(port: int, path: str) -> bytes:
    """The body; empty when nobody answers."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return b""
