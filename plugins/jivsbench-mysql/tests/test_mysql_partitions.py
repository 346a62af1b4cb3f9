"""Ranges of keys: disjoint, together the table, of about equal rows, for every type of key."""

import itertools

import pytest

from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_mysql import partitioning
from tests.mysql_database import Execute, Opener, table

pytestmark = pytest.mark.real_server

ROWS = 4000
_ID = "id INT NOT NULL"
# Each key with an expression over n, 0 to 3999, that fills it.
KEYS = {
    "integer": (f"{_ID}, k INT PRIMARY KEY", "n - 2000"),
    "unsigned": (f"{_ID}, k BIGINT UNSIGNED PRIMARY KEY", "18446744073709551615 - n"),
    "decimal": (f"{_ID}, k DECIMAL(30,10) PRIMARY KEY", "n / 7"),
    "year": (f"{_ID}, k YEAR NOT NULL, KEY (k)", "1901 + n % 200"),
    "date": (f"{_ID}, k DATE PRIMARY KEY", "'1990-01-01' + INTERVAL n DAY"),
    "datetime": (f"{_ID}, k DATETIME(6) PRIMARY KEY", "TIMESTAMP'1990-01-01 00:00:00' + INTERVAL n * 7 MICROSECOND"),
    "timestamp": (f"{_ID}, k TIMESTAMP(6) NOT NULL, UNIQUE (k)", "TIMESTAMP'1990-01-01 00:00:00' + INTERVAL n SECOND"),
    "zero dates": (f"{_ID}, k DATE NOT NULL, KEY (k)", "IF(n % 3, '1990-01-01' + INTERVAL n DAY, 0)"),
    "text": (f"{_ID}, k VARCHAR(60) PRIMARY KEY", "concat(md5(n), '''\\\\é🦀')"),
    "text without case": (
        f"{_ID}, k VARCHAR(60) COLLATE utf8mb4_general_ci NOT NULL, KEY (k)",
        "elt(1 + n % 4, concat('a', n), concat('A', n), concat('é', n), '')",
    ),
    "text in latin1": (
        f"{_ID}, k VARCHAR(60) CHARACTER SET latin1 NOT NULL, KEY (k)",
        "elt(1 + n % 3, concat('ä', n), concat('Z', n), concat('ÿ', n))",
    ),
    "binary": (f"{_ID}, k BINARY(16) PRIMARY KEY", "unhex(md5(n))"),
    "composite": (f"{_ID}, a TINYINT, b VARCHAR(20), c INT, PRIMARY KEY (a, b, c)", "n % 3, concat('x', n % 7), n"),
    "nullable": (f"{_ID}, k INT NULL, KEY (k)", "IF(n % 5 = 0, NULL, n)"),
    "nullable text": (f"{_ID}, k VARCHAR(20) NULL, UNIQUE (k)", "IF(n % 5 = 0, NULL, n)"),
    "few values": (f"{_ID}, k INT NOT NULL, KEY (k)", "n % 2"),
    "one value": (f"{_ID}, k INT NOT NULL, KEY (k)", "1"),
    "all null": (f"{_ID}, k INT NULL, KEY (k)", "NULL"),
    "enum and text": (f"{_ID}, e ENUM('z', 'a') NOT NULL, k INT NOT NULL, KEY (e), KEY (k)", "'a', n"),
    "prefix": (f"{_ID}, k LONGTEXT NOT NULL, KEY (k(10))", "md5(n)"),
    "no key": (f"{_ID}, k INT", "n"),
}


@pytest.fixture(autouse=True)
def smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Split small tables too."""
    monkeypatch.setattr(partitioning, "MIN_ROWS_TO_SPLIT", 100)
    monkeypatch.setattr(partitioning, "MIN_ROWS_PER_PART", 50)


def fill(execute: Execute, columns: str, values: str) -> None:
    """The table `t` with a row for each number."""
    execute(f"CREATE TABLE t ({columns}) ENGINE = InnoDB CHARACTER SET utf8mb4")
    execute("CREATE TABLE n (n INT PRIMARY KEY)")
    execute("INSERT INTO n VALUES " + ", ".join(f"({number})" for number in range(ROWS)))
    execute(f"INSERT INTO t SELECT n, {values} FROM n")
    execute("ANALYZE TABLE t")


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("streams", [2, 5])
def test_ranges_of_any_key_hold_each_row_once(execute: Execute, open_session: Opener, kind: str, streams: int) -> None:
    """No more parts than streams; the server counts in each what is read from it; the same table is cut the same way again."""
    fill(execute, *KEYS[kind])
    session = open_session()
    session.begin()
    request = ExtractionRequest("test", TableName("t"), columns=("id",))
    schema = session.schema(request)

    parts = session.partitions(request, schema, streams)

    ids = [list(itertools.chain(*(batch["id"].to_pylist() for batch in session.read(part)))) for part in parts]
    assert 1 <= len(parts) <= streams
    assert sorted(itertools.chain(*ids)) == list(range(ROWS))
    assert [session.fingerprint(part).row_count for part in parts] == list(map(len, ids))
    assert [part.predicate for part in session.partitions(request, schema, streams)] == [part.predicate for part in parts]
    if kind not in ("few values", "one value", "all null", "prefix", "no key"):
        assert len(parts) == streams
    if kind in ("integer", "text", "composite", "binary", "unsigned"):
        assert max(map(len, ids)) < 1.25 * ROWS / streams


def test_ranges_are_read_by_the_index(execute: Execute, open_session: Opener) -> None:
    """Of a composite key too: a range scan, not the whole table once for each part."""
    fill(execute, *KEYS["composite"])
    session = open_session()
    parts = session.partitions(table("t"), session.schema(table("t")), 8)

    plans = [execute(f"EXPLAIN SELECT * FROM t WHERE {part.predicate}")[0] for part in parts]

    assert len(parts) == 8
    assert {plan[3] for plan in plans} <= {"range", "index_merge"}
