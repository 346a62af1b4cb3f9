import contextlib
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.api import GuardRequest
from jivsbench.errors import GuardRefusedError
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_sqlguard.guard import MAX_QUERY_BYTES, SqlGuard


def review(query, *, dialect="postgres", tables=None):
    """Send the query through the guard."""
    SqlGuard().review(GuardRequest(ExtractionRequest("shop", query=query), dialect, tables))


def test_text_over_the_cap_is_refused_before_parsing():
    """65,537 bytes are refused with the limit named, 64 KiB are not refused for their length."""
    query = "SELECT 1 -- "
    review(query + "x" * (MAX_QUERY_BYTES - len(query)))

    with pytest.raises(GuardRefusedError, match="65536 bytes"):
        review(query + "x" * (MAX_QUERY_BYTES - len(query) + 1))


def test_the_cap_counts_bytes_not_characters():
    """Three bytes a letter: a third of the letters fills the cap."""
    with pytest.raises(GuardRefusedError, match="65536 bytes"):
        review("SELECT '" + "€" * (MAX_QUERY_BYTES // 3) + "'")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT " + "not " * 5000 + "true",
        "SELECT " + "- " * 9000 + "1",
        "SELECT " + "CASE WHEN true THEN " * 800 + "1" + " END" * 800,
        "SELECT " + "1," * 20000 + "1",
    ],
    ids=["parentheses", "not", "minus", "case", "tokens"],
)
def test_a_text_made_to_exhaust_the_parser_is_refused(query):
    """Depth and length end in a refusal, never in another error."""
    with pytest.raises(GuardRefusedError):
        review(query)


@given(st.text(alphabet=st.sampled_from(list("SELECTselect*from ()'\"\\;-/*$:.,[]{}|&=<>0123aé\n\t\x00")), max_size=60))
def test_any_text_is_accepted_or_refused(text):
    """Whatever comes in, the only error is a refusal."""
    with contextlib.suppress(GuardRefusedError):
        review("SELECT " + text)

    assert True, "no other error"


def test_a_refusal_repeats_no_value():
    """The text of the query, which may hold personal data, is not in the message nor in the traceback."""
    with pytest.raises(GuardRefusedError) as caught:
        review("SELECT id FROM customers WHERE name = 'Hypatia' GRUOP BY 1 1")

    assert "Hypatia" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("dialect", ["duckdb", "tsql", "oracle"])
def test_a_dialect_without_rules_takes_no_raw_query(dialect):
    """Nobody vouches for how such a server reads the text."""
    with pytest.raises(GuardRefusedError, match="postgres, mysql and sqlite only"):
        review("SELECT 1", dialect=dialect)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM orders",
        "SELECT * FROM Orders o JOIN shop.items i ON i.id = o.id",
        'SELECT * FROM "orders"',
        "WITH recent AS (SELECT * FROM orders) SELECT * FROM recent",
        "WITH a AS (SELECT * FROM orders), b AS (SELECT * FROM a) SELECT * FROM b UNION SELECT * FROM a",
        "SELECT * FROM orders WHERE id IN (WITH x AS (SELECT id FROM orders) SELECT id FROM x)",
    ],
)
def test_tables_on_the_list_may_be_read(query):
    """Listed tables, and common table expressions over them, pass."""
    review(query, tables=("orders", "shop.items"))

    assert True, "no refusal"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM secrets",
        'SELECT * FROM "Orders"',
        "SELECT * FROM public.orders",
        "SELECT * FROM items",
        "SELECT * FROM orders, secrets",
        "SELECT * FROM orders JOIN LATERAL (SELECT * FROM secrets) s ON true",
        "SELECT (SELECT max(id) FROM secrets) FROM orders",
        "SELECT * FROM orders WHERE id IN (SELECT id FROM secrets)",
        "WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets",
        "WITH a AS (SELECT * FROM secrets), secrets AS (SELECT * FROM orders) SELECT * FROM a",
        "SELECT * FROM (WITH secrets AS (SELECT 1) SELECT * FROM secrets) q, secrets",
        "SELECT * FROM (WITH secrets AS (SELECT 1) SELECT * FROM secrets) q UNION SELECT * FROM secrets",
        "WITH secrets AS (SELECT * FROM orders) SELECT * FROM public.secrets",
        'WITH secrets AS (SELECT * FROM orders) SELECT * FROM "Secrets"',
        "SELECT 1 UNION SELECT id FROM secrets",
        "SELECT * FROM ONLY secrets",
        "SELECT * FROM orders NATURAL JOIN (SELECT * FROM secrets) s",
    ],
)
def test_a_table_off_the_list_is_refused_wherever_it_stands(query):
    """A common table expression covers a name only where the server would see it."""
    with pytest.raises(GuardRefusedError):
        review(query, tables=("orders", "shop.items"))


def test_sqlite_compares_table_names_without_case():
    """There "Orders" and ORDERS are the table orders."""
    review('SELECT * FROM "Orders" JOIN ORDERS AS o ON true', dialect="sqlite", tables=("orders",))

    with pytest.raises(GuardRefusedError):
        review('SELECT * FROM "Secrets"', dialect="sqlite", tables=("orders",))


def test_a_request_with_table_and_query_is_refused():
    """It could be read in two ways; so could one with neither."""
    both = ExtractionRequest("shop", table=TableName("orders"), query="SELECT 1")

    with pytest.raises(GuardRefusedError, match="exactly one"):
        SqlGuard().review(GuardRequest(both, "postgres", None))
    with pytest.raises(GuardRefusedError, match="exactly one"):
        SqlGuard().review(GuardRequest(ExtractionRequest("shop"), "postgres", None))


def test_the_parser_is_loaded_by_the_first_raw_query_only():
    """A service that extracts tables never pays for sqlglot."""
    program = (
        "import sys; from jivsbench_sqlguard.guard import SqlGuard; from jivsbench.api import GuardRequest;"
        "from jivsbench.model.table import *;"
        "SqlGuard().review(GuardRequest(ExtractionRequest('s', table=TableName('t')), 'postgres', None));"
        "print('sqlglot' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("table", ["secrets", "main.secrets", '"secrets"', "'secrets'", "main . 'secrets'"])
@pytest.mark.parametrize("word", ["IN", "NOT IN"])
def test_in_reads_no_table_of_sqlite(table, word):
    """`(a, b) IN secrets` tells SQLite to read the table: refused, whether or not there is a list of tables."""
    query = f"SELECT a FROM t WHERE (a, 'x') {word} {table}"
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.executescript("CREATE TABLE t (a); CREATE TABLE secrets (a, b); INSERT INTO t VALUES (1)")
        database.execute(query).fetchall()

    for tables in (("t",), None):
        with pytest.raises(GuardRefusedError, match="has a In"):
            review(query, dialect="sqlite", tables=tables)


@pytest.mark.parametrize("dialect", ["sqlite", "mysql", "postgres"])
@pytest.mark.parametrize("place", ["(1, 2)", "(SELECT a FROM t)", "(a)"])
def test_in_reads_a_list_and_a_query(dialect, place):
    """What stands in parentheses behind IN is read as before."""
    review(f"SELECT a FROM t WHERE a IN {place} AND a NOT IN {place}", dialect=dialect, tables=("t",))


@pytest.mark.parametrize(
    "arguments",
    [
        "a, '(a*)*b'",
        "a from '(a|b)+$'",
        "a from '#' for '#'",
        "a for '#' from '(a*)*'",
        "a, b",
        "a, b::text",
        "a, (('(a*)*'))",
        "a, coalesce('(a*)*', a)",
        "a, CASE WHEN true THEN '(a*)*' END",
        "a, (SELECT b FROM t)",
    ],
)
@pytest.mark.parametrize("word", ["substring", "SUBSTRING "])
def test_substring_takes_no_regular_expression(word, arguments):
    """To PostgreSQL the second argument of SUBSTRING is a pattern when it is a text."""
    with pytest.raises(GuardRefusedError, match="may be a pattern"):
        review(f"SELECT {word}({arguments}) FROM t")


@pytest.mark.parametrize(
    "arguments",
    [
        "a, 2",
        "a, 2, b",
        "a from 2 for 3",
        "a for 3",
        "a, -3",
        "a, (b + 1)",
        "a, CAST(b AS int)",
        "a, b::bigint",
        "a, strpos(a, ':')",
    ],
)
def test_substring_takes_a_place(arguments):
    """A number, or what is one whatever the columns are."""
    review(f"SELECT substring({arguments}) FROM t")


@pytest.mark.parametrize(
    "rest",
    [
        "-- ' UNION SELECT x FROM secrets --",
        "/* ' UNION SELECT x FROM secrets -- */",
        'ORDER BY "\' UNION SELECT x FROM secrets --"',
        "AND b = ' UNION SELECT x FROM secrets --'",
    ],
)
def test_no_quote_follows_a_text_that_is_a_backslash(rest):
    """A server that takes a backslash for an escape reads on up to the next quote, also in a comment or in a name."""
    query = "SELECT a FROM t WHERE a LIKE 'x' ESCAPE '\\'"
    review(query)

    with pytest.raises(GuardRefusedError, match="one backslash before another quote"):
        review(f"{query} {rest}")


def test_a_list_of_sqlite_folds_case_as_sqlite_does():
    """Letters of ASCII have no case to SQLite, all others have: the table beside the one on the list is another."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.executescript('CREATE TABLE "Éa" (a); CREATE TABLE "éa" (a)')
    review('SELECT a FROM "ÉA"', dialect="sqlite", tables=("Éa",))

    with pytest.raises(GuardRefusedError, match="not on the source's list"):
        review('SELECT a FROM "éa"', dialect="sqlite", tables=("Éa",))


@pytest.mark.parametrize(
    "part",
    ["a::char({})", "CAST(a AS character ({}))", "a::bpchar({})::text", "char({}) 'x'", "CAST(a AS CHAR /* */ ({})[])"],
)
def test_a_cast_fills_up_to_a_small_size_only(part):
    """PostgreSQL pads such values with blanks: ten megabytes for every row, as LPAD is not let make them."""
    review(f"SELECT {part.format(10_000)} FROM t")

    for size in ("10001", "10485760", "0010485760"):
        with pytest.raises(GuardRefusedError, match="more than 10000 characters"):
            review(f"SELECT {part.format(size)} FROM t")
