"""What no snapshot holds: rows of foreign tables, which is said, and tables that were written anew, which are refused."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from jivsbench.errors import ExtractionError
from jivsbench.model.table import Consistency, ExtractionRequest
from jivsbench_postgres.connection import PostgresConnection

WRITTEN_ANEW = {
    "another type": "ALTER TABLE t ALTER a TYPE bigint",
    "a computed default": "ALTER TABLE t ADD b float DEFAULT random()",
    "truncated": "TRUNCATE t",
    "compacted": "VACUUM FULL t",
}
SAME_PLACE = {
    "rows": "UPDATE t SET a = 0",
    "a new column": "ALTER TABLE t ADD b int DEFAULT 1",
    "an index": "CREATE INDEX ON t (a)",
    "statistics": "ANALYZE t",
    "another table": "CREATE TABLE u AS SELECT 1 AS a; TRUNCATE u",
}
Asker = Callable[[str], ExtractionRequest]


@pytest.fixture
def tables(admin: psycopg.Connection, namespace: str) -> None:
    """A hundred rows, a view and a materialized view of them, and a table of which they are a partition."""
    admin.execute(f"SET search_path = {namespace}")
    admin.execute("CREATE TABLE p (id int, a int) PARTITION BY RANGE (id)")
    admin.execute("CREATE TABLE t PARTITION OF p FOR VALUES FROM (0) TO (1000)")
    admin.execute("INSERT INTO p SELECT g, g FROM generate_series(1, 100) AS g")
    admin.execute("CREATE VIEW v AS SELECT id FROM t")
    admin.execute("CREATE MATERIALIZED VIEW m AS SELECT id FROM t")
    # A column of a partition cannot be changed alone.
    admin.execute("CREATE TABLE plain AS SELECT id, a FROM t")


@pytest.fixture
def ask(reader, namespace: str) -> Asker:
    """A request for a table; for one called `query`, by a query."""

    def build(name: str) -> ExtractionRequest:
        if name == "query":
            return ExtractionRequest("test", query=f"SELECT id FROM {namespace}.t")
        return reader.request(name, columns=("id",))

    return build


def read_and_count(session: PostgresConnection, request: ExtractionRequest) -> tuple[int, int | None]:
    """Rows that came, and rows that the server counts; in the transaction that was begun before."""
    (partition,) = session.partitions(request, session.schema(request), 1)
    return sum(batch.num_rows for batch in session.read(partition)), session.fingerprint(partition).row_count


def change(admin: psycopg.Connection, script: str) -> None:
    """Statement by statement: not each of them may stand in a transaction."""
    for statement in script.split("; "):
        admin.execute(statement)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("script", WRITTEN_ANEW.values(), ids=WRITTEN_ANEW)
def test_a_table_that_was_written_anew_is_refused(admin, session: PostgresConnection, ask: Asker, script: str) -> None:
    """Most of these look empty under an older snapshot: no row came, and none was counted."""
    session.begin()
    change(admin, script.replace(" t", " plain"))

    with pytest.raises(ExtractionError, match=r"plain' was written anew"):
        read_and_count(session, ask("plain"))


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("name", ["t", "v", "query", "p"])
def test_it_is_found_behind_whatever_reads_it(admin, session: PostgresConnection, ask: Asker, name: str) -> None:
    """A partition, a view, a query, the table that it is a part of."""
    session.begin()
    admin.execute("TRUNCATE t")

    with pytest.raises(ExtractionError, match="was written anew"):
        read_and_count(session, ask(name))


@pytest.mark.usefixtures("tables")
def test_a_table_that_took_the_name_is_refused(admin, session: PostgresConnection, ask: Asker) -> None:
    """Its rows are younger than the snapshot."""
    schema = session.schema(ask("plain"))
    session.begin()
    admin.execute("CREATE TABLE other AS SELECT 1 AS id, 1 AS a")
    admin.execute("ALTER TABLE plain RENAME TO gone")
    admin.execute("ALTER TABLE other RENAME TO plain")
    (partition,) = session.partitions(ask("plain"), schema, 1)
    assert list(session.read(partition)) == []

    with pytest.raises(ExtractionError, match="another took its name"):
        session.fingerprint(partition)


@pytest.mark.usefixtures("tables")
def test_a_refreshed_view_is_refused(admin, session: PostgresConnection, ask: Asker) -> None:
    """Its new rows are there for every snapshot."""
    session.begin()
    admin.execute("INSERT INTO t VALUES (500, 1)")
    admin.execute("REFRESH MATERIALIZED VIEW m")

    with pytest.raises(ExtractionError, match="was written anew"):
        read_and_count(session, ask("m"))


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("script", SAME_PLACE.values(), ids=SAME_PLACE)
@pytest.mark.parametrize("name", ["plain", "t", "v", "query", "p", "m"])
def test_what_stays_where_it_is_is_read(*, admin, session: PostgresConnection, ask: Asker, script: str, name: str) -> None:
    """Under the snapshot, as it was then; and it is of one snapshot."""
    session.begin()
    change(admin, script.replace(" t", " plain") if name == "plain" else script.replace("ALTER TABLE t", "ALTER TABLE p"))

    assert read_and_count(session, ask(name)) == (100, 100)
    assert session.consistency(ask(name)) is Consistency.ONE_SNAPSHOT


@pytest.fixture
def foreign(admin: psycopg.Connection, tables: None) -> Iterator[None]:  # noqa: ARG001 - a view there is read beside it
    """What a program writes as a foreign table: alone, as a partition, behind a view."""
    if admin.execute("SELECT FROM pg_available_extensions WHERE name = 'file_fdw'").fetchone() is None:
        pytest.skip("this server has no file_fdw")
    admin.execute("CREATE EXTENSION file_fdw SCHEMA public")
    try:
        admin.execute("CREATE SERVER files FOREIGN DATA WRAPPER file_fdw")
        options = "SERVER files OPTIONS (program 'echo 2000,1', format 'csv')"
        admin.execute(f"CREATE FOREIGN TABLE f (id int, a int) {options}")
        admin.execute("CREATE TABLE q (id int, a int) PARTITION BY RANGE (id)")
        admin.execute(f"CREATE FOREIGN TABLE far PARTITION OF q FOR VALUES FROM (1000) TO (3000) {options}")
        admin.execute("CREATE TABLE near PARTITION OF q FOR VALUES FROM (0) TO (1000)")
        admin.execute("CREATE VIEW w AS SELECT id FROM v UNION ALL SELECT id FROM f")
        admin.execute("CREATE MATERIALIZED VIEW copied AS SELECT id FROM f")
        yield
    finally:
        admin.execute("DROP EXTENSION file_fdw CASCADE")


@pytest.mark.usefixtures("foreign")
def test_rows_of_a_foreign_table_are_of_no_snapshot(session: PostgresConnection, ask: Asker, namespace: str) -> None:
    """Wherever they were read; a table beside it, and a copy of it, are of one all the same."""
    query = ExtractionRequest("test", query=f"SELECT id FROM {namespace}.w WHERE id > 5")
    told = {}
    for request in (*map(ask, ("f", "q", "w", "copied", "t", "p", "v")), query):
        session.begin()
        assert read_and_count(session, request)[0] > 0
        told[str(request.table or "query").rpartition(".")[2]] = session.consistency(request)
        session.reset()

    assert {name for name, one in told.items() if one is Consistency.NONE} == {"f", "q", "w", "query"}
    assert {name for name, one in told.items() if one is Consistency.ONE_SNAPSHOT} == {"copied", "t", "p", "v"}
