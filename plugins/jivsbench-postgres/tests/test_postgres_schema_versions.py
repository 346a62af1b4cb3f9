"""The version of a schema: another one as soon as the columns of a request would be, and the same as long as they are not."""

import psycopg
import pytest

from jivsbench.api import SchemaVersionTeller
from jivsbench.model.table import ExtractionRequest
from jivsbench_postgres.connection import PostgresConnection

CHANGES = {
    "a new column": "ALTER TABLE t ADD email text",
    "a dropped column": "ALTER TABLE t DROP b",
    "another name": "ALTER TABLE t RENAME b TO c",
    "another type": "ALTER TABLE t ALTER b TYPE text",
    "another precision": "ALTER TABLE t ALTER b TYPE numeric(11,2)",
    "NULL allowed": "ALTER TABLE t ALTER b DROP NOT NULL",
    "another place": "ALTER TABLE t DROP a; ALTER TABLE t ADD a text",
    "made anew": "DROP TABLE t CASCADE; CREATE TABLE t (id int PRIMARY KEY, a text, b numeric(10,2) NOT NULL)",
}
NO_CHANGES = {
    "rows": "INSERT INTO t VALUES (1, 'x', 1.5)",
    "an index": "CREATE INDEX ON t (a)",
    "statistics": "ALTER TABLE t ALTER a SET STATISTICS 500; ANALYZE t",
    "a rewritten table": "VACUUM FULL t",
    "another table": "CREATE TABLE u (id int)",
}


@pytest.fixture(autouse=True)
def table(admin: psycopg.Connection, namespace: str) -> None:
    """A table, with a view of it."""
    admin.execute(f"SET search_path = {namespace}")
    admin.execute("CREATE TABLE t (id int PRIMARY KEY, a text, b numeric(10,2) NOT NULL)")


def tell(session: PostgresConnection, request: ExtractionRequest) -> str | None:
    """As a job would be told."""
    assert isinstance(session, SchemaVersionTeller)
    session.begin()
    try:
        return session.schema_version(request)
    finally:
        session.reset()


def run(admin: psycopg.Connection, script: str) -> None:
    """Statement by statement: not each of them may stand in a transaction."""
    for statement in script.split("; "):
        admin.execute(statement)


@pytest.mark.parametrize("script", CHANGES.values(), ids=CHANGES)
def test_other_columns_are_another_version(admin, session: PostgresConnection, reader, script: str) -> None:
    """Whether all of them are asked for, or one by its name."""
    requests = [reader.request("t"), reader.request("t", columns=("id",))]
    before = [tell(session, request) for request in requests]
    run(admin, script)
    after = [tell(session, request) for request in requests]

    assert None not in (*before, *after)
    assert all(one != other for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("script", NO_CHANGES.values(), ids=NO_CHANGES)
def test_the_same_columns_are_the_same_version(admin, session: PostgresConnection, reader, script: str) -> None:
    """Or nothing would ever be found in the cache."""
    before = tell(session, reader.request("t"))
    run(admin, script)

    assert tell(session, reader.request("t")) == before is not None


def test_the_version_of_a_query_is_that_of_what_it_yields(admin, namespace: str, session: PostgresConnection) -> None:
    """A star stands for the columns of now, through a view that is made anew as well."""
    admin.execute("CREATE VIEW v AS SELECT id, a FROM t")
    star, view = (ExtractionRequest("test", query=f"SELECT * FROM {namespace}.{name}") for name in ("t", "v"))
    before = tell(session, star), tell(session, view)
    assert before == (tell(session, star), tell(session, view))
    admin.execute("ALTER TABLE t ADD email text")
    admin.execute("CREATE OR REPLACE VIEW v AS SELECT id, a, b FROM t")

    assert tell(session, star) != before[0]
    assert tell(session, view) != before[1]


@pytest.mark.parametrize("name", ["nothing", "", "x" * 70, "a\0b", "\ud800", 'odd"name'])
def test_a_table_that_is_not_there_has_no_version(session: PostgresConnection, reader, name: str) -> None:
    """Whoever asks for the schema then is told so."""
    assert tell(session, reader.request(name)) is None
