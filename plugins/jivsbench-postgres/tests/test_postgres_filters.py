"""A value in a filter is data, whatever it says, and is compared in the column's own type."""

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jivsbench.errors import ExtractionError, MissingObjectError
from jivsbench.model.table import ExtractionRequest, Filter, Operator, TableName
from jivsbench_postgres.connection import PostgresConnection

TEXTS = (
    "",
    "a",
    "it's",
    "\\",
    "\\'",
    "'; DROP TABLE t; --",
    "$$",
    "$x$ $x$",
    "%s %(a)s {}",
    "E'\\x27'",
    "U&'\\0027'",
    "/*",
    "é",
    "é",
    "\u02bc",
    "\x1a\x08",
    "NULL",
    '"',
    "% _",
)
PIECES = ("'", '"', "\\", "$$", "$a$", "--", "/*", "*/", ";", "%", "_", "OR 1=1", "\n", "E'", "b", ")")
HOSTILE = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
)
pytestmark = pytest.mark.usefixtures("texts")
COMPARISONS = {
    Operator.EQUAL: lambda stored, value: stored == value,
    Operator.NOT_EQUAL: lambda stored, value: stored != value,
    Operator.LESS: lambda stored, value: stored.encode() < value.encode(),
    Operator.LESS_OR_EQUAL: lambda stored, value: stored.encode() <= value.encode(),
    Operator.GREATER: lambda stored, value: stored.encode() > value.encode(),
    Operator.GREATER_OR_EQUAL: lambda stored, value: stored.encode() >= value.encode(),
    Operator.IN: lambda stored, value: stored in (value, "a"),
}


@pytest.fixture
def texts(admin: psycopg.Connection, namespace: str) -> None:
    """A table of texts under the C collation, and one of numbers."""
    admin.execute(f'CREATE TABLE {namespace}.t (v text COLLATE "C", n bigint, j json)')
    with admin.cursor().copy(f"COPY {namespace}.t (v, n) FROM STDIN") as copy:
        for number, text in enumerate(TEXTS):
            copy.write_row((text, number))


@pytest.mark.parametrize("operator", COMPARISONS, ids=[operator.name for operator in COMPARISONS])
def test_a_hostile_text_never_changes_the_question(operator, session: PostgresConnection, reader) -> None:
    """For any text the rows are those that plain Python finds."""

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(value=HOSTILE)
    @example(value="\\")
    @example(value="\\' OR 1=1 --")
    @example(value="' OR ''='")
    def check(value: str) -> None:
        values = (value, "a") if operator is Operator.IN else (value,)
        rows = reader.read(session, reader.request("t", Filter("v", operator, values)))["v"].to_pylist()
        assert rows == [text for text in TEXTS if COMPARISONS[operator](text, value)]

    check()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=HOSTILE.filter(lambda text: not set(text) & set("%_\\")))
def test_like_takes_a_text_without_wildcards_literally(value, session: PostgresConnection, reader) -> None:
    """LIKE of a plain text is equality."""
    rows = reader.read(session, reader.request("t", Filter("v", Operator.LIKE, (value,))))["v"].to_pylist()

    assert rows == [text for text in TEXTS if text == value]


@pytest.mark.parametrize("conforming", ["on", "off"])
def test_a_backslash_is_only_a_backslash_whatever_the_database_says(conforming, admin, open_session, reader) -> None:
    """standard_conforming_strings = off in the database turns backslashes into escapes elsewhere, not here."""
    database = admin.info.dbname
    admin.execute(f"ALTER DATABASE {database} SET standard_conforming_strings = {conforming}")
    try:
        rows = reader.read(open_session(), reader.request("t", Filter("v", Operator.IN, ("\\", "\\'"))))
    finally:
        admin.execute(f"ALTER DATABASE {database} RESET standard_conforming_strings")

    assert rows["v"].to_pylist() == ["\\", "\\'"]


@pytest.mark.parametrize("value", ["a\0b", "\ud800"], ids=["nul", "half-a-surrogate-pair"])
def test_a_text_that_no_server_can_hold_is_refused_clearly(value, session: PostgresConnection, reader) -> None:
    """Before anything is sent, naming the column."""
    with pytest.raises(ExtractionError, match="column 'v' holds"):
        reader.read(session, reader.request("t", Filter("v", Operator.EQUAL, (value,))))


@pytest.mark.parametrize("value", ["1 OR 1=1", "1; DROP TABLE t", "", "9" * 30, 1.5])
def test_a_value_that_is_no_number_is_refused_for_a_number(value, session: PostgresConnection, reader) -> None:
    """The server compares in the column's type; the message holds no value."""
    with pytest.raises(ExtractionError, match="does not fit the type") as caught:
        reader.read(session, reader.request("t", Filter("n", Operator.EQUAL, (value,))))

    assert "OR 1" not in str(caught.value)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Filter("n", Operator.LESS, ("2",)), [0, 1]),
        (Filter("n", Operator.IN, (1, "3", 99)), [1, 3]),
        (Filter("n", Operator.IN, ()), []),
        (Filter("n", Operator.LIKE, ("1_",)), list(range(10, len(TEXTS)))),
        (Filter("j", Operator.IS_NOT_NULL), []),
        (Filter("j", Operator.IS_NULL), list(range(len(TEXTS)))),
    ],
)
def test_each_operator_compares_in_the_columns_type(condition, expected, session: PostgresConnection, reader) -> None:
    """Numbers as numbers, also when they are written as text."""
    assert reader.read(session, reader.request("t", condition))["n"].to_pylist() == expected


@pytest.mark.parametrize(
    "condition", [Filter("n", Operator.EQUAL), Filter("n", Operator.LESS, (1, 2)), Filter("n", Operator.IS_NULL, (1,))]
)
def test_a_filter_with_a_wrong_number_of_values_is_refused(condition, session: PostgresConnection, reader) -> None:
    """One value, or none, as the operator says."""
    with pytest.raises(ExtractionError, match="values: it takes"):
        reader.read(session, reader.request("t", condition))


def test_a_type_without_comparison_is_refused_by_the_server(session: PostgresConnection, reader) -> None:
    """There is no equality of json: the error says the SQLSTATE's name."""
    with pytest.raises(ExtractionError, match="UndefinedFunction"):
        reader.read(session, reader.request("t", Filter("j", Operator.EQUAL, ("{}",))))


NAMES = ['a"b', "a.b", "A", "a b", "; --", "é", "x" * 63, "%s", "{}", "select", "a\nb", "a'b"]


def test_any_name_finds_exactly_its_table_and_column(admin, namespace, session: PostgresConnection, reader) -> None:
    """Quotes, dots, case, blanks and 63 bytes: each name is one table."""
    for number, name in enumerate(NAMES):
        quoted = '"' + name.replace('"', '""') + '"'
        statement = psycopg.sql.SQL("CREATE TABLE {}.{} AS SELECT {}::int AS {}")
        admin.execute(
            statement.format(
                psycopg.sql.SQL(namespace), psycopg.sql.SQL(quoted), psycopg.sql.SQL(str(number)), psycopg.sql.SQL(quoted)
            )
        )

    found = [
        reader.read(session, reader.request(name, Filter(name, Operator.GREATER_OR_EQUAL, (0,)))).to_pylist() for name in NAMES
    ]

    assert found == [[{name: number}] for number, name in enumerate(NAMES)]


@pytest.mark.parametrize("name", ["x" * 64, "x" * 63 + "é", "a\0b", "", "T", "t ", "t; --", '"t"', "\ud800"])
def test_a_name_that_is_no_tables_is_refused(name, admin, namespace, session: PostgresConnection, reader) -> None:
    """A longer name is not cut to that of another table; names are not folded."""
    admin.execute(f"CREATE TABLE {namespace}.{'x' * 63} (id int)")

    with pytest.raises(MissingObjectError):
        reader.read(session, reader.request(name))
    with pytest.raises(MissingObjectError):
        reader.read(session, reader.request("t", columns=(name,)))
    with pytest.raises(MissingObjectError):
        reader.read(session, reader.request("t", Filter(name, Operator.IS_NULL)))


@pytest.mark.parametrize(
    "table", [TableName("pg_authid"), TableName("pg_authid", "pg_catalog"), TableName("tables", "information_schema")], ids=str
)
def test_the_system_catalogue_is_not_extracted(table, session: PostgresConnection, reader) -> None:
    """Not by schema, and not by a partition that never asked for one."""
    request = ExtractionRequest("test", table)
    made_up = session.partitions(reader.request("t"), session.schema(reader.request("t")), 1)[0]
    session.begin()

    with pytest.raises(MissingObjectError):
        session.schema(request)
    with pytest.raises(MissingObjectError):
        list(session.read(type(made_up)(0, request, made_up.schema)))


def test_the_nearest_name_is_suggested(admin, namespace, session: PostgresConnection, reader) -> None:
    """For tables and for columns."""
    admin.execute(f"CREATE TABLE {namespace}.customers (email text)")

    with pytest.raises(MissingObjectError, match=f"did you mean '{namespace}.customers'"):
        reader.read(session, reader.request("custommers"))
    with pytest.raises(MissingObjectError, match="did you mean 'email'"):
        reader.read(session, reader.request("customers", columns=("emial",)))
