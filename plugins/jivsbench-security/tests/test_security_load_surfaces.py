"""SEC-019's look at a load: a real one, with Locust's page, over a real server."""

import base64
import secrets
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from jivsbench.embedded import PostgresServer, ValkeyServer
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import TableName
from jivsbench_postgres.connector import PostgresConnector
from jivsbench_security.leaks import load_surfaces
from jivsbench_security.leaks.canaries import Canary, find_leaks
from jivsbench_security.leaks.load_surfaces import read_load

TABLE = "leak_rows"


@pytest.mark.nightly
@pytest.mark.timeout(200)  # a whole run, on whatever machine
def test_a_load_is_looked_at_while_it_runs_and_afterwards(
    embedded_postgres: PostgresServer, embedded_valkey: ValkeyServer, tmp_path: Path
) -> None:
    """Its figures name the requests; page, CSV, log and run folder are there, and none holds a key."""
    owner = DataSource("main", "postgres", embedded_postgres.owner_url)
    rows = pa.RecordBatch.from_pydict({"id": list(range(100)), "name": [f"name {n}" for n in range(100)]})
    PostgresConnector().load_table(owner, TableName(TABLE), rows.schema, iter([rows]), ())
    key = Canary("the credential key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    try:
        given = {"JIVSBENCH_CREDENTIAL_KEY": key.text, "JIVSBENCH_CACHE_URL": embedded_valkey.url.reveal()}
        found, problem = read_load(tmp_path, embedded_postgres.reader_url, TABLE, given)
    finally:
        PostgresConnector().drop_table(owner, TableName(TABLE))

    assert problem is None, found[-1]
    assert {place for place, _ in found} == {
        "Locust's figures",
        "Locust's page",
        "what the command prints",
        "the folder of a run",
    }
    assert any(b"create" in content and b"Request Count" in content for place, content in found if place == "Locust's page")
    assert [place for place, content in found if find_leaks(content, [key])] == []


def test_a_load_that_does_not_begin_is_told(tmp_path: Path) -> None:
    """Nobody listens where the source should be."""
    found, problem = read_load(tmp_path, Secret("postgresql://nobody@127.0.0.1:1/nothing"), TABLE, {})

    assert "before its page showed a request" in str(problem)
    assert [place for place, _ in found][:1] == ["what the command prints"]


ENDLESS = """#!{python}
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"stats": [{"name": "create"}]}')

HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--ui-port") + 1])), Page).serve_forever()
"""


def test_a_load_that_does_not_end_was_not_seen_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its page was there; what it would have left nobody knows."""
    command = tmp_path / "python"
    command.write_text(ENDLESS.replace("{python}", sys.executable))
    command.chmod(0o700)
    monkeypatch.setattr(load_surfaces, "sys", SimpleNamespace(executable=str(command)))
    monkeypatch.setattr(load_surfaces, "_LIMIT_S", 3.0)
    found, problem = read_load(tmp_path, Secret("postgresql://nobody@127.0.0.1:1/nothing"), TABLE, {})

    assert "Locust's page" in [place for place, _ in found]
    assert problem == "it did not end within 3 s"
