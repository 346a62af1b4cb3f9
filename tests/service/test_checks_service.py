from dataclasses import replace

import pyarrow as pa
import pytest

from jivsbench.api import TargetVariant
from jivsbench.checks.runner import run_check, run_checks
from jivsbench.checks.score import score
from jivsbench.embedded import start_postgres, start_valkey
from jivsbench.model.finding import CheckOutcome, Severity
from jivsbench.model.source import DataSource
from jivsbench.model.table import TableName
from jivsbench.plugins import load_registry
from tests.service.checked_targets import build_targets

# The service is attacked a thousand times; what it does then is covered by its own tests, and the runner by its own.
pytestmark = pytest.mark.no_cover

TABLE = "checked_rows"
LEAST_ATTACKS = {"SEC-001": 100, "SEC-002": 80, "SEC-003": 150, "SEC-004": 60, "SEC-005": 80, "SEC-006": 90, "SEC-008": 20}
"""Checks all of whose attacks the target must have met, and how many these are at least."""
TIMED = frozenset({"SEC-001", "SEC-007", "SEC-009", "SEC-010", "SEC-029", "SEC-035"})
UNTESTED = frozenset({"SEC-026", "SEC-031"})
"""Need a browser, and advisories."""
UNSOUND = (CheckOutcome.FAIL, CheckOutcome.INVALID)
NO_OP_GUARD = """
from jivsbench.api import hookimpl

class NoOpGuard:
    name = "no-op"
    def review(self, request):
        return None

@hookimpl
def jivsbench_register_guards():
    return [NoOpGuard()]
"""


REGISTRY = load_registry()


def list_tables_left(target):
    """Tables that a check made and did not take away."""
    with target.oracle() as connection:
        return [table.name for table in connection.tables() if "jivsbench_" in table.name]


@pytest.fixture(scope="module")
def source_urls(embedded_postgres):
    """A table of a hundred rows; URLs of its owner and of its reader."""
    connector = REGISTRY.connector("postgres")
    owner = DataSource("main", "postgres", embedded_postgres.owner_url)
    rows = pa.RecordBatch.from_pydict({"id": list(range(100)), "name": [f"name {n}" for n in range(100)]})
    connector.load_table(owner, TableName(TABLE), rows.schema, iter([rows]), ())
    yield embedded_postgres.owner_url, embedded_postgres.reader_url
    connector.drop_table(owner, TableName(TABLE))


@pytest.fixture(scope="module")
def targets(source_urls, tmp_path_factory):
    """Targets over that table, with a cache server of their own."""
    with start_valkey() as server:
        yield build_targets(REGISTRY, source_urls, tmp_path_factory.mktemp("checks"), TABLE, cache_url=server.url)


@pytest.mark.timeout(400)  # 36 checks, on whatever machine
def test_no_check_finds_a_hole_in_the_service_as_it_ships(targets):
    """All checks against one target: none finds a hole or proves nothing, and nothing is left in the source."""
    with targets.launch(TargetVariant("target")) as target:
        results = {check.id: run_check(check, target) for check in REGISTRY.checks}
        for check_id in sorted(TIMED):
            # These judge moments, and this machine has other tests to run: what is a hole is there again.
            if results[check_id].outcome in UNSOUND:
                results[check_id] = run_check(REGISTRY.check(check_id), target)
        left = list_tables_left(target)

    # One that judges moments proves nothing on a starved machine, and says so; a hole is a hole on any.
    wrong = [r for r in results.values() if r.outcome is CheckOutcome.FAIL or (r.outcome in UNSOUND and r.check_id not in TIMED)]
    assert [(r.check_id, r.outcome, r.reason, [f.evidence for f in r.findings]) for r in wrong] == []
    assert sum(r.outcome is CheckOutcome.PASS for r in results.values()) >= len(results) - len(TIMED) - len(UNTESTED)
    for check_id, least in LEAST_ATTACKS.items():
        assert results[check_id].attempted == results[check_id].reached >= least, check_id
    assert left == []


@pytest.mark.nightly
def test_every_check_believes_its_controls(targets):
    """All checks with their controls: none ends INVALID, none finds a hole, and nothing is left in the source."""
    with targets.launch(TargetVariant("target")) as target:
        results = run_checks(REGISTRY.checks, targets.launch, target)
        left = list_tables_left(target)

    assert [(r.check_id, r.outcome, r.reason) for r in results if r.outcome in UNSOUND] == []
    assert left == []


@pytest.mark.nightly
@pytest.mark.parametrize("check", REGISTRY.checks, ids=lambda check: check.id)
def test_a_guard_patched_off_turns_its_check_red(targets, check):
    """Each hole alone in a target of its own is found by its check."""
    with targets.launch(check.vulnerable) as target:
        result = run_check(check, target)

    assert result.outcome is CheckOutcome.FAIL, result.reason


@pytest.mark.nightly
def test_values_pasted_into_sql_text_turn_sec_001_red(targets):
    """The f-string connector: rows that no value asked for, a reproducer for each technique that worked."""
    check = REGISTRY.check("SEC-001")
    with targets.launch(replace(check.vulnerable, name="mutant-fstring")) as target:
        result = check.run(target)

    assert result.outcome is CheckOutcome.FAIL
    assert {finding.severity for finding in result.findings} == {Severity.CRITICAL}
    assert any("rows came back" in finding.evidence for finding in result.findings)
    assert any("the answer took" in finding.evidence for finding in result.findings)
    assert all(finding.reproducer for finding in result.findings)


@pytest.mark.nightly
@pytest.mark.parametrize("guards", [("no-op",), ()], ids=["no-op", "none"])
def test_a_guard_that_does_nothing_turns_sec_003_red(targets, guards, tmp_path, monkeypatch):
    """Hostile queries are accepted, and named."""
    (tmp_path / "no_op_guard.py").write_text(NO_OP_GUARD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    check = REGISTRY.check("SEC-003")
    name = f"mutant-{'-'.join(guards) or 'none'}"
    with targets.launch(TargetVariant(name, plugins=("no_op_guard",), guards=guards)) as target:
        result = check.run(target)

    assert result.outcome is CheckOutcome.FAIL
    assert result.findings[0].title == "a hostile query was accepted"
    assert "DELETE FROM customers" in result.findings[0].reproducer


@pytest.mark.nightly
def test_a_target_that_logs_in_as_the_owner_turns_sec_005_and_sec_006_red(source_urls, tmp_path):
    """The guard and the transaction hold, and are not enough: the role may act on the server, and write."""
    owner_url = source_urls[0]
    powerful = build_targets(REGISTRY, (owner_url, owner_url), tmp_path, TABLE)
    with powerful.launch(TargetVariant("powerful")) as target:
        results = [run_check(REGISTRY.check(check_id), target) for check_id in ("SEC-005", "SEC-006")]

    assert [result.outcome for result in results] == [CheckOutcome.FAIL, CheckOutcome.FAIL]
    assert "pg_read_file" in results[0].findings[0].evidence
    assert {"the target's role may write", "the target's role may do more than read"} <= {f.title for f in results[1].findings}


def test_a_stopped_database_is_invalid_not_green(tmp_path):
    """Nothing was tested, and every attack was "blocked"."""
    checks = [REGISTRY.check("SEC-001"), REGISTRY.check("SEC-003")]
    with start_postgres() as server:
        doomed = build_targets(REGISTRY, (server.owner_url, server.reader_url), tmp_path, TABLE)
        with doomed.launch(TargetVariant("doomed")) as target:
            server.child.stop()
            results = [run_check(check, target) for check in checks]

    assert [result.outcome for result in results] == [CheckOutcome.INVALID, CheckOutcome.INVALID]
    assert "got none" in results[0].reason
    assert "SourceUnreachableError" in results[1].reason
    assert score(results).score is None
