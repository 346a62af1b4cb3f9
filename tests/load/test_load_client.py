"""One user's connection to its target."""

import os
import resource
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jivsbench.load.spec import LoadArm
from jivsbench.load.worker.client import TargetClient

SELECT_LIMIT = 1024


@pytest.fixture
def many_open_files() -> Iterator[None]:
    """So many open files that the next one's number is more than select() can name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    files = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while files[-1] < SELECT_LIMIT:
            files.append(os.dup(files[0]))
        yield
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_open_files")
def test_an_idle_connection_of_a_large_load_is_used_again(plant) -> None:
    """Users beyond the thousandth think, too, and neither their target nor the load fails for it."""
    client = TargetClient(plant().arm())

    first = client.send("POST", "/extractions", {"filters": []})
    time.sleep(0.6)
    second = client.send("POST", "/extractions", {"filters": []})
    client.close()

    assert [first.response.status, second.response.status] == [201, 201]
    assert first.failure is second.failure is None


class Impatient(BaseHTTPRequestHandler):
    """Answers everything, and closes a connection that is idle for 0.2 s."""

    protocol_version = "HTTP/1.1"
    timeout = 0.2

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nobody reads it."""


def test_a_connection_that_the_server_has_closed_is_opened_again() -> None:
    """Nobody used it when it was closed, so nothing failed."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Impatient) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = TargetClient(LoadArm("a", f"http://127.0.0.1:{server.server_port}", "t", os.getpid()))

        answers = [client.send("GET", "/extractions")]
        time.sleep(0.6)
        answers.append(client.send("GET", "/extractions"))
        client.close()
        server.shutdown()

    assert [answer.response.status for answer in answers] == [200, 200]
    assert [answer.failure for answer in answers] == [None, None]
