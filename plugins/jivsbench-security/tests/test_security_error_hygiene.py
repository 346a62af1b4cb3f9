"""SEC-028 against small servers of the test's own: too few failures, jobs without an end, and words that are nobody's secret."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest

from jivsbench.api import CheckContext
from jivsbench.errors import InvalidRunError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench_security.exchanges import API
from jivsbench_security.leaks.canaries import draw_canary
from jivsbench_security.leaks.error_hygiene import ErrorHygieneCheck, HygieneSession, list_parts
from jivsbench_security.servers.telltale_server import TelltaleServer

Answer = Callable[[str, str], tuple[int, Any]]


@contextmanager
def serve(answer: Answer) -> Iterator[str]:
    """A target that answers so, with a correlation id."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answer(self.command, self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("X-Correlation-Id", "1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Context:
    """What a session asks of its context."""

    def __init__(self, base_url: str, user: str = "postgres", database: str = "shop") -> None:
        self.base_url, self.token, self.source = base_url, Secret("t" * 20), "main"
        self._url = Secret(f"postgresql://{user}:postgres@127.0.0.1:1/{database}")

    def reader(self) -> DataSource:
        """A source whose user and password are words of others."""
        return DataSource("main", "postgres", self._url)


def attack(base_url: str, *, user: str = "postgres", database: str = "shop") -> HygieneSession:
    """All failures of the check, against a target."""
    context = cast("CheckContext", Context(base_url, user, database))
    session = HygieneSession(ErrorHygieneCheck(), context, "rows", [draw_canary("a row")])
    with TelltaleServer() as telltale:
        telltale.told = 1
        with session.client:
            session.attack(telltale)
    return session


def refuse(method: str, path: str) -> tuple[int, Any]:
    """Lists are given, everything else is refused."""
    if method == "GET" and path.partition("?")[0] in {f"{API}/data-sources", f"{API}/profile"}:
        return 200, {"items": [{"connector": "postgres"}]}
    return 422, {"slug": "usage", "detail": "no", "correlation_id": "1"}


def test_a_user_that_is_called_like_a_connector_is_no_leak() -> None:
    """Eight letters that every list of sources holds; a user of a name of its own is looked for."""
    with serve(refuse) as base_url:
        session = attack(base_url)

    assert session.findings == []
    assert session.reached == session.attempted
    assert {part.text for part in list_parts("postgresql://reporting:pw@127.0.0.1:1/x")} == {"reporting", "127.0.0.1:1"}


def test_a_name_that_an_error_tells_is_a_leak() -> None:
    """It is in no harmless answer."""

    def tell(method: str, path: str) -> tuple[int, Any]:
        status, body = refuse(method, path)
        return status, body | {"detail": "no such user: reporting"} if status == 422 and method == "POST" else body

    with serve(tell) as base_url:
        session = attack(base_url, user="reporting")

    assert any("the user of the source" in finding.evidence for finding in session.findings)


@pytest.mark.parametrize("told", [{"database": "shop"}, {"user": "reporting"}, {"database": "warehouse"}])
def test_a_source_that_answers_tells_no_part_of_its_url(told) -> None:
    """Neither user nor database; a short word is no proof."""

    def tell(method: str, path: str) -> tuple[int, Any]:
        return (200, {"product": "x", **told}) if path == f"{API}/data-sources/main/test" else refuse(method, path)

    with serve(tell) as base_url:
        session = attack(base_url, user="reporting", database="shop" if told == {"database": "shop"} else "warehouse")

    assert [finding.evidence for finding in session.findings] == [
        f"a test of the source: the answer holds the {part} of the source, plain" for part, text in told.items() if text != "shop"
    ]


def test_too_few_failures_judge_no_errors() -> None:
    """A target that does what it is asked shows none."""
    with serve(lambda *_: (200, {"id": "1", "state": "COMPLETED"})) as base_url, pytest.raises(InvalidRunError, match="0 of"):
        attack(base_url)


def test_a_request_that_succeeds_is_no_lack_of_an_answer() -> None:
    """It did not fail as it was meant to, and everybody knows how it ended."""

    def run(method: str, path: str) -> tuple[int, Any]:
        if method == "GET" and path.endswith("/statistics"):
            return 200, {}
        return (200, {"id": "1", "state": "COMPLETED"}) if path.startswith(f"{API}/extractions/1") else refuse(method, path)

    with serve(run) as base_url:
        session = attack(base_url)

    assert session.attempted > session.reached >= 30
    assert (session.unanswered, session.findings) == (0, [])


def test_a_job_without_an_end_is_unanswered() -> None:
    """Nobody knows how it would have failed."""

    def run(method: str, path: str) -> tuple[int, Any]:
        if path.startswith(f"{API}/extractions") and path != f"{API}/extractions":
            return 200, {"id": "1", "state": "RUNNING"}
        return (201, {"id": "1"}) if (method, path) == ("POST", f"{API}/extractions") else refuse(method, path)

    session: HygieneSession
    with serve(run) as base_url:
        session = HygieneSession(ErrorHygieneCheck(), cast("CheckContext", Context(base_url)), "rows", [draw_canary("a row")])
        with session.client, TelltaleServer() as telltale, pytest.raises(InvalidRunError):
            session.attack(telltale)

    assert session.unanswered >= 20
