"""Other ways to break a limit than those of the checks' controls are found as well."""

import pyarrow as pa
import pytest

from jivsbench.api import TargetVariant
from jivsbench.checks.runner import run_check
from jivsbench.model.finding import CheckOutcome
from jivsbench.model.source import DataSource
from jivsbench.model.table import TableName
from jivsbench.plugins import load_registry
from tests.service.checked_targets import build_targets

pytestmark = [pytest.mark.no_cover, pytest.mark.nightly]

TABLE = "limited_rows"
LEAKING = """
from jivsbench.api import hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

def keep(original):
    def discard(lease):
        return None
    return discard

@hookimpl
def jivsbench_register_connectors():
    replace_part("jivsbench.extract.leases:Lease.discard", keep)
    return []
"""


def test_connections_that_never_come_back_turn_sec_010_red(embedded_postgres, tmp_path, monkeypatch):
    """A job that fails keeps its connection: the pool is not whole again."""
    (tmp_path / "leaking_leases.py").write_text(LEAKING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    registry = load_registry()
    connector = registry.connector("postgres")
    owner = DataSource("main", "postgres", embedded_postgres.owner_url)
    rows = pa.RecordBatch.from_pydict({"id": list(range(10))})
    connector.load_table(owner, TableName(TABLE), rows.schema, iter([rows]), ())
    urls = (embedded_postgres.owner_url, embedded_postgres.reader_url)
    try:
        targets = build_targets(registry, urls, tmp_path, TABLE)
        with targets.launch(TargetVariant("mutant-leaking", plugins=("leaking_leases",))) as target:
            result = run_check(registry.check("SEC-010"), target)
    finally:
        connector.drop_table(owner, TableName(TABLE))

    assert result.outcome is CheckOutcome.FAIL, result.reason
    assert any(finding.title == "a pool is not whole again" for finding in result.findings)
