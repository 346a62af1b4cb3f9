"""The server itself as the judge: what the guard accepts must not depend on anything that is off its lists."""

import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from jivsbench.api import GuardRequest
from jivsbench.errors import GuardRefusedError
from jivsbench.model.table import ExtractionRequest
from jivsbench_security.corpora import load_legitimate
from jivsbench_sqlguard.guard import SqlGuard

CORPUS_SCHEMA = Path(__file__).parents[2] / "jivsbench-security" / "tests" / "corpus_schema.sql"
TABLES = tuple(re.findall(r"CREATE TABLE (\w+)", CORPUS_SCHEMA.read_text()))
# Pieces to be strewn into harmless queries; `evil`, `secrets` and `evil_type` exist on the server and are on no list.
PIECES = (
    """
evil(1)|evil|(|secrets|)|,|as|from|only|table secrets|with|lateral|evil (|union|union all|select|*|from secrets|'x'
"evil"|"secrets"|--|/*|*/|'|E'|\\|'\\'|escape|$$|;|::|evil_type|cast(1 as evil_type)|order by|limit|values
rows from (evil(1))|(select * from secrets)|join|natural join secrets|secrets s|s(evil)|as evil(a)|as t(a int)|where
exists|in|secrets.evil_column|(customers).evil|customers.*|group by|over|filter (where evil(1) is null)
window w as (order by evil(1))|array[evil(1)]|array(|[1]|->>|-|between|or|not|case when|then|else|end|interval
collate|at time zone evil(1)|distinct on (evil(1))|fetch first evil(1) rows only|offset|for
within group (order by evil(1))|extract(evil from now())|substring(x from evil(1))|overlay(|trim(|grouping sets (
using (|row(|any (|is distinct from|similar to|like|~|@|materialized|recursive|public.|public.evil(1)|public.secrets
secrets as customers|customers as secrets|with secrets as (select 1 as x)
(with secrets as (select 1 as x) select * from secrets) q|coalesce(|count(|::text|::evil_type|evil_type 'x'|u&'x'
n'x'|1e|tablesample
""".strip()
    .replace("\n", "|")
    .split("|")
)
DEPENDENCIES = """
SELECT DISTINCT coalesce(function.proname, relation.relname, type.typname)
FROM pg_depend AS d JOIN pg_rewrite AS rule ON rule.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
LEFT JOIN pg_proc AS function ON d.refclassid = 'pg_proc'::regclass AND function.oid = d.refobjid
LEFT JOIN pg_class AS relation ON d.refclassid = 'pg_class'::regclass AND relation.oid = d.refobjid
LEFT JOIN pg_type AS type ON d.refclassid = 'pg_type'::regclass AND type.oid = d.refobjid
WHERE rule.ev_class = 'accepted'::regclass
"""


@pytest.fixture
def server(embedded_postgres_url):
    """The corpus's tables, and a table, a function and a type that nobody may reach; all gone afterwards."""
    with psycopg.connect(embedded_postgres_url) as connection:
        connection.execute("CREATE SCHEMA differential")
        connection.execute("SET search_path = differential")
        connection.execute(CORPUS_SCHEMA.read_text())
        connection.execute("CREATE TABLE secrets (x int, evil_column int)")
        connection.execute("CREATE FUNCTION evil(int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
        connection.execute("CREATE TYPE evil_type AS ENUM ('x')")
        connection.execute("SAVEPOINT clean")
        yield connection
        connection.rollback()


def strew(query, choice, pieces=PIECES):
    """The query with one to three pieces put in, or words replaced or left out."""
    words = re.findall(r"\s+|\w+|'[^']*'|\"[^\"]*\"|[^\w\s]", query)
    for _ in range(choice.randint(1, 3)):
        at = choice.randrange(len(words))
        length = choice.choice([0, 0, 0, 1, 1, 3])
        words[at : at + length] = [f" {choice.choice(pieces)} "] if choice.random() < 0.9 else []
        words = words or ["select"]
    return "".join(words)


def is_accepted(query, dialect="postgres", tables=TABLES):
    """What the guard says, with the corpus's tables on the list."""
    try:
        SqlGuard().review(GuardRequest(ExtractionRequest("shop", query=query), dialect, tables))
    except GuardRefusedError:
        return False
    return True


def find_dependencies(server, query):
    """What the server says that the query depends on; nothing for a text that it does not understand."""
    try:
        server.execute(f"CREATE VIEW accepted AS SELECT 1 AS one FROM (\n{query.rstrip().rstrip(';')}\n) AS q")
        return {name for (name,) in server.execute(DEPENDENCIES)}
    except psycopg.Error:
        return set()
    finally:
        server.execute("ROLLBACK TO clean")


def test_what_the_guard_accepts_depends_on_nothing_off_the_lists(server):
    """4,000 mutants of harmless queries: the server finds no forbidden table, function or type in an accepted one."""
    choice = random.Random(20)
    queries = [statement.sql for statement in load_legitimate("postgres") if len(statement.sql) < 260]

    accepted = [mutant for mutant in (strew(choice.choice(queries), choice) for _ in range(4000)) if is_accepted(mutant)]
    understood = [found for found in (find_dependencies(server, mutant) for mutant in accepted) if found]

    assert len(understood) >= 40, "the mutants must be near enough to SQL to prove something"
    assert [found for found in understood if found & {"evil", "secrets", "evil_type"}] == []


SQLITE_PIECES = (
    """
evil(1)|(|)|secrets|,|from|from secrets|'secrets'|"secrets"|main.secrets|in|not in|in secrets|in (secrets)|in 'secrets'|select|*
(a, b) in secrets|exists|values (1, 2)|union|union all|secrets.x|with secrets as (select 1 as x)|with u as (select * from secrets)
join secrets|natural join secrets|cross join secrets|as secrets|(select * from secrets)|case when|then|else|end|and|not|is|glob
match|regexp|collate nocase|cast(|as text)|limit|order by|filter (where|indexed by x|using (a)|->>|sqlite_master|temp.|main.|;
--|'x'|"x"|rowid|raise(abort, 'x')|except|recursive|materialized|(secrets)|(secrets join t)|t secrets|secrets t
""".strip()
    .replace("\n", "|")
    .split("|")
)
SQLITE_QUERIES = (
    "select a, b from t where a = 1",
    "select t.a from t join u on t.a = u.a where t.b in (1, 2)",
    "select count(*) from t group by a having count(*) > 1 order by 1",
    "select * from (select a from t) s where exists (select 1 from u where u.a = s.a)",
    "select case when a in (select a from u) then 1 else 2 end from t where b like 'x' escape '!'",
)


def find_uses(server, query):
    """The tables and functions that SQLite itself says the query uses; nothing for a text that it does not understand."""
    used = set()

    def note(action, first, second, *_):
        used.update({sqlite3.SQLITE_READ: {first}, sqlite3.SQLITE_FUNCTION: {second}}.get(action, ()))
        return sqlite3.SQLITE_OK

    server.set_authorizer(note)
    try:
        server.execute(f"EXPLAIN {query}")
    except sqlite3.Error:
        return set()
    return used


def test_what_the_guard_accepts_uses_nothing_off_the_lists_of_sqlite():
    """5,000 mutants of harmless queries: SQLite reads no forbidden table and calls no forbidden function for an accepted one."""
    choice, understood = random.Random(20), []
    with closing(sqlite3.connect(":memory:")) as server:
        server.executescript("CREATE TABLE t (a, b); CREATE TABLE u (a, x); CREATE TABLE secrets (x, y)")
        server.create_function("evil", 1, lambda value: value)
        for _ in range(5_000):
            mutant = strew(choice.choice(SQLITE_QUERIES), choice, SQLITE_PIECES)
            if is_accepted(mutant, "sqlite", ("t", "u")):
                understood.append((find_uses(server, mutant), mutant))

    assert sum(bool(used) for used, _ in understood) >= 40, "the mutants must be near enough to SQL to prove something"
    assert [mutant for used, mutant in understood if used & {"evil", "secrets", "sqlite_master"}] == []
