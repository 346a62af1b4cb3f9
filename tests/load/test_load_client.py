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
    """Answers everything, `/deep` with lists without end, and closes a connection that is idle for 0.2 s."""

    protocol_version = "HTTP/1.1"
    timeout = 0.2

    def do_GET(self) -> None:
        content = b"[" * 200_000 if self.path.endswith("/deep") else b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Nobody reads it."""


@pytest.fixture
def impatient() -> Iterator[TargetClient]:
    """A client of a target that does not wait."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Impatient) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = TargetClient(LoadArm("a", f"http://127.0.0.1:{server.server_port}", "t", os.getpid()))
        yield client
        client.close()
        server.shutdown()


def test_an_answer_without_end_is_no_answer(impatient) -> None:
    """A target may send what no parser reads: its user has an answer without a body, and goes on."""
    answer = impatient.send("GET", "/deep")

    assert (answer.response.status, answer.response.body) == (200, None)


def test_a_connection_that_the_server_has_closed_is_opened_again(impatient) -> None:
    """Nobody used it when it was closed, so nothing failed."""
    answers = [impatient.send("GET", "/extractions")]
    time.sleep(0.6)
    answers.append(impatient.send("GET", "/extractions"))

    assert [answer.response.status for answer in answers] == [200, 200]
    assert [answer.failure for answer in answers] == [None, None]
