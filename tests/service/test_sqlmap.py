"""An attacker that is not ours: sqlmap against the value of a filter. It must find nothing, and must find a planted hole."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest

from jivsbench.api import TargetVariant
from jivsbench.model.source import DataSource
from jivsbench.model.table import TableName
from jivsbench.plugins import load_registry
from jivsbench_security.extractions import Extractions
from jivsbench_security.sql.value_injection import ValueInjectionCheck
from tests.machine import leave_out
from tests.service.checked_targets import build_targets

pytestmark = [pytest.mark.no_cover, pytest.mark.nightly, pytest.mark.timeout(400)]

TABLE = "sqlmap_rows"
SECONDS = 170
REGISTRY = load_registry()
NOTHING = "do not appear to be injectable"
HOLE = "sqlmap identified the following injection point"


@pytest.fixture
def targets(embedded_postgres, tmp_path):
    """Targets over a small table."""
    connector = REGISTRY.connector("postgres")
    owner = DataSource("main", "postgres", embedded_postgres.owner_url)
    rows = pa.RecordBatch.from_pydict({"id": list(range(10)), "name": [f"name {n}" for n in range(10)]})
    connector.load_table(owner, TableName(TABLE), rows.schema, iter([rows]), ())
    yield build_targets(REGISTRY, (embedded_postgres.owner_url, embedded_postgres.reader_url), tmp_path, TABLE)
    connector.drop_table(owner, TableName(TABLE))


@contextmanager
def forward(context, seen: list[str]) -> Iterator[str]:
    """A page whose parameter `value` is a filter's value: one request is one extraction, run to its end."""
    extractions = Extractions(context.target)
    turn = threading.Lock()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            value = parse_qs(urlsplit(self.path).query, keep_blank_values=True).get("value", [""])[0]
            condition = {"column": "name", "operator": "=", "values": [value]}
            with turn:
                seen.append(value)
                ending = extractions.run({"source": context.source, "table": TABLE, "columns": ["name"], "filters": [condition]})
                rows = context.read_output(ending.job).column("name").to_pylist() if ending.is_completed else []
            text = f"<html><body>{len(rows)} rows {rows} {ending.slug or ''}</body></html>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_args) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/?value=name%201"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def run_sqlmap(url: str, folder: Path) -> str:
    """What it prints about the one parameter: boolean, error, union and time techniques; level 1, as it comes."""
    if shutil.which("sqlmap") is None:
        leave_out("sqlmap is not installed (sh tests/service/install_sqlmap.sh)")
    options = ["--technique=BEUT", "--dbms=PostgreSQL", "--time-sec=2", "--timeout=30", "--retries=0", "--flush-session"]
    argv = ["sqlmap", "-u", url, "-p", "value", "--batch", "--disable-coloring", f"--output-dir={folder}", *options]
    return subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False).stdout


@pytest.mark.parametrize(
    ("variant", "expected"),
    [(TargetVariant("sqlmap"), NOTHING), (ValueInjectionCheck.vulnerable, HOLE)],
    ids=["as it ships", "pasted values"],
)
def test_sqlmap_finds_the_planted_hole_and_nothing_else(targets, tmp_path, variant, expected):
    """Nothing in the service as it ships, the hole when values are pasted into SQL text; dozens of payloads reach either."""
    seen: list[str] = []
    with targets.launch(variant) as target, forward(target, seen) as url:
        found = run_sqlmap(url, tmp_path / "sqlmap")
        after = Extractions(target.target).run({"source": target.source, "table": TABLE})

    assert len(set(seen)) > 20, found
    assert expected in found, found
    assert after.is_completed
