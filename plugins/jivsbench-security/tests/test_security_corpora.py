import re
import sqlite3
from pathlib import Path

import psycopg
import pytest

from jivsbench_security.corpora import load_hostile, load_legitimate

SCHEMA = (Path(__file__).parent / "corpus_schema.sql").read_text()


def test_the_corpora_have_their_size():
    """At least 150 hostile and 185 legitimate texts for PostgreSQL, 22 of them over the TPC-H schema; none twice."""
    hostile, legitimate = load_hostile("postgres"), load_legitimate("postgres")

    assert len({statement.sql for statement in hostile}) == len(hostile) >= 150
    assert len({statement.sql for statement in legitimate}) == len(legitimate) >= 185
    assert sum(statement.group == "tpch" for statement in legitimate) == 22


def test_no_text_is_in_both_corpora():
    """A text cannot be both."""
    for dialect in ("postgres", "sqlite"):
        assert {s.sql for s in load_hostile(dialect)} & {s.sql for s in load_legitimate(dialect)} == set()


def test_a_dialect_that_the_corpora_do_not_speak_has_none():
    """Nothing to send, rather than texts in a foreign dialect."""
    assert load_hostile("cobol") == load_legitimate("cobol") == ()


def test_every_legitimate_query_is_valid_postgresql(embedded_postgres_url):
    """The server plans each one: a guard that accepts it accepts a real query."""
    with psycopg.connect(embedded_postgres_url) as connection:
        connection.execute("CREATE SCHEMA corpus")
        connection.execute("SET search_path = corpus")
        connection.execute(SCHEMA)
        for statement in load_legitimate("postgres"):
            connection.execute(f"EXPLAIN {statement.sql.replace('public', 'corpus')}")
        planned = len(load_legitimate("postgres"))
        connection.rollback()

    assert planned >= 185


def test_every_legitimate_query_is_valid_sqlite():
    """The same for SQLite."""
    if sqlite3.sqlite_version_info < (3, 39):
        pytest.skip("this SQLite has no RIGHT JOIN")
    connection = sqlite3.connect(":memory:")
    connection.executescript(re.sub(r"--.*", "", SCHEMA))
    for statement in load_legitimate("sqlite"):
        connection.execute(f"EXPLAIN {statement.sql}")
    connection.close()

    assert len(load_legitimate("sqlite")) >= 100
