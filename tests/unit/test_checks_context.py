import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.checks.context import Errand, HttpCheckContext, HttpTarget, Reach
from jivsbench.errors import InvalidRunError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        """422 and the request, as JSON; /api/v1/page answers with no JSON."""
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = {"method": self.command, "path": self.path, "token": self.headers["Authorization"], "sent": sent.decode()}
        data = b"<html>" if self.path.endswith("/page") else json.dumps(body).encode()
        self.send_response(422)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = answer  # noqa: N815 - the names that http.server calls

    def log_message(self, *_args):
        """Nothing on the console."""


@pytest.fixture
def base_url():
    """An HTTP server that echoes."""
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def build_context(output_dir):
    """A context whose target is not needed."""
    source = DataSource("main", "postgres", Secret("postgresql://x"))
    return HttpCheckContext(
        Reach("http://127.0.0.1:9", Secret("t"), 0, output_dir / "log", output_dir),
        Errand(connector=None, owner=source, reader=source, table="t", is_full=False, seed=0, folder=output_dir),
        relaunch=None,
    )


def test_a_call_goes_to_the_api_with_the_token(base_url):
    """Any status is an answer; the body is decoded."""
    target = HttpTarget(base_url, Secret("secret-token"))
    answer = target.call("POST", "/extractions", {"query": "ä"})
    target.close()

    assert answer.status == 422
    assert answer.body == {
        "method": "POST",
        "path": "/api/v1/extractions",
        "token": "Bearer secret-token",
        "sent": '{"query": "\\u00e4"}',
    }


def test_a_body_that_is_no_json_is_none(base_url):
    """The status still counts."""
    target = HttpTarget(base_url, Secret("t"))
    answer = target.call("GET", "/page")
    target.close()

    assert (answer.status, answer.body) == (422, None)


def test_a_target_that_does_not_answer_is_status_zero(tmp_path):
    """No exception: what a target does not say is a fact about it."""
    assert build_context(tmp_path).target.call("GET", "/health").status == 0


def test_the_output_of_a_job_is_read_from_all_its_files(tmp_path):
    """Rows of every Parquet file of the job's folder."""
    (tmp_path / "job-1").mkdir()
    for part in (0, 1):
        pq.write_table(pa.table({"id": [part]}), tmp_path / "job-1" / f"part-{part}.parquet")

    assert build_context(tmp_path).read_output({"output": "job-1"}).column("id").to_pylist() == [0, 1]


@pytest.mark.parametrize("job", [{"output": None}, {"output": "nowhere"}, {}, None])
def test_a_job_without_output_is_no_empty_result(tmp_path, job):
    """Else a missing file would look like no rows."""
    with pytest.raises(InvalidRunError):
        build_context(tmp_path).read_output(job)
