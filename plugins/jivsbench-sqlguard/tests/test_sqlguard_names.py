import pytest

from jivsbench.api import GuardRequest
from jivsbench.errors import GuardRefusedError
from jivsbench.model.table import ExtractionRequest, Filter, Operator, TableName, parse_table_name
from jivsbench_sqlguard.guard import SqlGuard


def review(request, *, dialect="postgres", tables=None):
    """Send the request through the guard."""
    SqlGuard().review(GuardRequest(request, dialect, tables))


def request(name="orders", namespace=None, columns=(), filters=()):
    """A request for a table."""
    return ExtractionRequest("shop", TableName(name, namespace), columns=columns, filters=filters)


@pytest.mark.parametrize("name", ["orders", "Order Lines", 'odd"name', "Größe", "select", "a" * 63])
def test_any_plain_name_of_a_table_passes(name):
    """Names are checked, not judged: the connector quotes them."""
    review(request(name, "sales", columns=(name,), filters=(Filter(name, Operator.EQUAL, ("x'; --",)),)))

    assert True, "no refusal"


@pytest.mark.parametrize("name", ["", "a\x00b", "a\nb", "a\x1bb", "a" * 64, "ü" * 32, "\ud800", "a\u202eb"])
def test_a_name_that_is_no_plain_text_is_refused_everywhere(name):
    """As table, schema, column and filter column: control characters, nothing at all, and more than 63 bytes."""
    for bad in (
        request(name),
        request("orders", name),
        request(columns=("id", name)),
        request(filters=(Filter(name, Operator.IS_NULL),)),
    ):
        with pytest.raises(GuardRefusedError):
            review(bad)


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        ("pg_shadow", None),
        ("PG_SHADOW", None),
        ("pg_class", "pg_catalog"),
        ("tables", "information_schema"),
        ("loot", "pg_temp_3"),
        ("sqlite_master", None),
        ("sqlite_master", "main"),
        ("pragma_database_list", None),
        ("user", "mysql"),
    ],
)
def test_the_catalogue_of_the_server_is_refused(name, namespace):
    """Even to a source that allows every table."""
    with pytest.raises(GuardRefusedError, match="catalogue"):
        review(request(name, namespace))


def test_only_listed_tables_pass_when_there_is_a_list():
    """The name must be the listed one, with its schema and its case."""
    review(request("orders"), tables=("orders",))
    review(request("orders", "sales"), tables=("sales.orders",))

    for other in (request("Orders"), request("orders", "sales"), request("secrets")):
        with pytest.raises(GuardRefusedError, match="list"):
            review(other, tables=("orders",))


def test_the_names_beside_a_raw_query_are_checked_too():
    """Columns and filters of a query are names like any other."""
    with pytest.raises(GuardRefusedError):
        review(ExtractionRequest("shop", query="SELECT 1", columns=("a\x00",)))


def test_more_columns_than_a_table_can_have_are_refused():
    """1,601 names are no request but an attack."""
    with pytest.raises(GuardRefusedError, match="1600"):
        review(request(columns=("a",) * 1601))


def test_reviewing_a_table_costs_microseconds(benchmark):
    """The review that every extraction pays, as a benchmark; the figure to reach is 50 us."""
    usual = GuardRequest(
        request("bench_rows", columns=("id", "name"), filters=(Filter("id", Operator.LESS, (1000,)),)),
        "postgres",
        ("bench_rows",),
    )
    guard = SqlGuard()

    benchmark(guard.review, usual)

    assert guard.name == "sqlguard"


@pytest.mark.parametrize("name", ["sys.csv", "pg_dump.parquet", "a" * 200 + ".csv", "2026/orders-*.csv"])
def test_a_source_without_sql_has_no_catalogue_to_protect(name):
    """A file may be called like a system table; its list of tables and the checks of characters hold all the same."""
    review(ExtractionRequest("files", parse_table_name(name)), dialect="")
    for refused in (parse_table_name(name), parse_table_name("a\nb.csv")):
        with pytest.raises(GuardRefusedError):
            review(ExtractionRequest("files", refused), dialect="", tables=("other.csv",))

    with pytest.raises(GuardRefusedError, match="catalogue"):
        review(ExtractionRequest("shop", TableName("csv", "sys")))


@pytest.mark.parametrize("name", ["./orders.csv", "../etc/passwd", ".hidden.csv"])
def test_a_path_that_begins_with_a_dot_is_told_as_one(name):
    """Not as the schema without a name that its first dot would make of it."""
    with pytest.raises(GuardRefusedError, match="begins with a dot"):
        review(ExtractionRequest("files", parse_table_name(name)), dialect="")


def test_a_source_without_sql_takes_no_query():
    """Said as such, not as a dialect that is missing."""
    with pytest.raises(GuardRefusedError, match="knows no SQL"):
        review(ExtractionRequest("files", query="SELECT 1"), dialect="")
