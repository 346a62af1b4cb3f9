"""Statements of dialects that no machine of this project has a server for, as text; and what the plugin offers."""

import subprocess
import sys

import pyarrow as pa
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import types
from sqlalchemy.dialects import mssql, oracle

from jivsbench.api import ReadLimits
from jivsbench.errors import ExtractionError
from jivsbench.model.secret import Secret
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import ExtractionRequest, Filter, Operator, Partition, TableName, TableSchema
from jivsbench_sqlalchemy import statements
from jivsbench_sqlalchemy.address import parse_address
from jivsbench_sqlalchemy.columns import build_table_column
from jivsbench_sqlalchemy.dialects import KNOWN, find_dialects
from jivsbench_sqlalchemy.engines import build_engine
from jivsbench_sqlalchemy.filter_values import convert_filter_value

DIALECTS = {dialect.name: dialect for dialect in KNOWN}


def compile_select(name: str, kind: types.TypeEngine, *filters: Filter, row_limit: int | None = None) -> str:
    """The text that a server of that dialect would be sent, on one line."""
    column = build_table_column({"name": "v", "type": kind, "nullable": True}, DIALECTS[name], TypePolicy.ERROR)
    request = ExtractionRequest("test", TableName("t", "s"), filters=filters, row_limit=row_limit)
    select = statements.build_select(Partition(0, request, TableSchema((column.column,))), {"v": column})
    dialect = {"mssql": mssql.dialect, "oracle": oracle.dialect}[name]()
    return " ".join(str(select.compile(dialect=dialect)).split())


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("mssql", mssql.DATETIME2(7), "SELECT CAST(v AS VARCHAR(34)) AS v FROM s.t"),
        ("mssql", mssql.DATETIMEOFFSET(7), "SELECT CAST(v AS VARCHAR(34)) AS v FROM s.t"),
        ("mssql", mssql.DATETIME(), "SELECT v AS v FROM s.t"),
        ("mssql", types.NVARCHAR(10), "SELECT v AS v FROM s.t"),
        ("oracle", oracle.TIMESTAMP(timezone=True), "SELECT to_char(v, :to_char_1) AS v FROM s.t"),
        ("oracle", oracle.NUMBER(10, 2), "SELECT v AS v FROM s.t"),
    ],
)
def test_times_leave_a_server_with_every_digit(name: str, kind: types.TypeEngine, expected: str) -> None:
    """As text, because the drivers cut them after the microsecond."""
    assert compile_select(name, kind) == expected


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("oracle", oracle.NUMBER(10, 2), pa.decimal128(10, 2)),
        ("oracle", oracle.NUMBER(10, 0), pa.int64()),
        ("oracle", oracle.NUMBER(20, 0), pa.decimal128(20, 0)),
        ("oracle", oracle.NUMBER(), pa.string()),
        ("oracle", oracle.NUMBER(5, -2), pa.string()),
        ("oracle", types.INTEGER(), pa.int64()),
        ("oracle", oracle.FLOAT(), pa.string()),
        ("oracle", oracle.BINARY_DOUBLE(), pa.float64()),
        ("oracle", oracle.DATE(), pa.timestamp("us")),
        ("oracle", oracle.TIMESTAMP(), pa.timestamp("us")),
        ("oracle", oracle.TIMESTAMP(local_timezone=True), pa.timestamp("us", "UTC")),
        ("oracle", oracle.RAW(10), pa.binary()),
        ("oracle", oracle.CLOB(), pa.string()),
        ("mssql", mssql.DATETIMEOFFSET(7), pa.timestamp("us", "UTC")),
        ("mssql", mssql.DATETIME2(7), pa.timestamp("us")),
        ("mssql", mssql.SMALLDATETIME(), pa.timestamp("us")),
        ("mssql", mssql.BIT(), pa.bool_()),
        ("mssql", mssql.TINYINT(), pa.int64()),
        ("mssql", mssql.MONEY(), pa.decimal128(19, 4)),
        ("mssql", mssql.REAL(), pa.float32()),
        ("mssql", mssql.ROWVERSION(), pa.binary()),
        ("mssql", mssql.UNIQUEIDENTIFIER(), pa.string()),
    ],
)
def test_types_of_servers_that_are_not_here(name: str, kind: types.TypeEngine, expected: pa.DataType) -> None:
    """Each as SQLAlchemy's inspector would give it."""
    built = build_table_column({"name": "v", "type": kind}, DIALECTS[name], TypePolicy.ERROR)

    assert built.column.arrow_type == expected


def test_limits_and_filters_are_written_in_each_dialect() -> None:
    """Values are bound, never in the text."""
    condition = Filter("v", Operator.EQUAL, ("' OR 1=1",))

    on_server = compile_select("mssql", types.String(), condition, row_limit=5)
    on_oracle = compile_select("oracle", types.String(), condition, row_limit=5)

    assert on_server.startswith("SELECT TOP")
    assert on_server.endswith("WHERE v = :v_1")
    assert "WHERE v = :v_1" in on_oracle
    assert "FETCH FIRST" in on_oracle
    assert "OR 1=1" not in on_server + on_oracle


@pytest.mark.parametrize("text", ["1_0", "1\u0660", "x"])
def test_a_filters_float_is_spelt_as_databases_do(text: str) -> None:
    """Python would take 1_0 for 10."""
    assert convert_filter_value("1e1", types.Float(), "v") == 10.0
    with pytest.raises(ExtractionError, match="column 'v'"):
        convert_filter_value(text, types.Float(), "v")


@pytest.mark.parametrize("kind", [types.DateTime(), types.DateTime(timezone=True), types.Time()])
def test_a_filters_moment_is_not_cut(kind: types.TypeEngine) -> None:
    """Python's own reader drops what is past the microsecond; zeros there say nothing."""
    day = "" if isinstance(kind, types.Time) else "2020-01-01 "

    assert str(convert_filter_value(f"{day}10:00:00.123456000", kind, "v")).endswith(("10:00:00.123456", "10:00:00.123456+00:00"))
    with pytest.raises(ExtractionError, match="column 'v'"):
        convert_filter_value(f"{day}10:00:00.1234567", kind, "v")


@given(st.text("abc:\\'% $_1\n", min_size=1, max_size=30).filter(lambda text: text.strip()))
def test_the_text_of_a_query_is_never_changed(text: str) -> None:
    """SQLAlchemy takes a word after a colon for a value to bind, unless a backslash stands before; a user's text is neither."""
    probe = statements.build_columns_probe(ExtractionRequest("test", query=text))

    assert f"({text.strip()}\n)" in str(probe.compile(dialect=sqlalchemy.create_engine("sqlite://").dialect))


def test_no_scheme_is_a_native_connectors() -> None:
    """Each begins with `sqlalchemy+`, and no two dialects share one."""
    schemes = [scheme for dialect in find_dialects() for scheme in dialect.schemes]

    assert all(scheme.startswith("sqlalchemy+") for scheme in schemes)
    assert len(schemes) == len(set(schemes))


def test_offering_connectors_loads_no_sqlalchemy() -> None:
    """Whoever reads from elsewhere does not pay for it."""
    code = (
        "import sys, jivsbench_sqlalchemy as p; found = p.jivsbench_register_connectors();"
        "assert {c.dialect for c in found} >= {'oracle', 'tsql'}; print('sqlalchemy' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("rest", "mode"),
    [
        ("u:p@db.example.com/d", "verify-full"),
        ("u:p@/d?host=db.example.com", "verify-full"),
        ("u:p@127.0.0.1/d?sslrootcert=/ca.pem", "verify-full"),
        ("u:p@db.example.com/d?sslmode=disable", "disable"),
        ("u:p@127.0.0.1/d", None),
    ],
)
def test_a_line_to_another_postgresql_server_is_verified_unless_the_url_says_otherwise(rest: str, mode: str | None) -> None:
    """Through libpq's drivers, by the rule of the native connector: a stripped TLS would give the password away."""
    address = parse_address(Secret(f"sqlalchemy+postgresql+psycopg://{rest}"), DIALECTS["postgresql"])

    engine = build_engine(address, ReadLimits())

    assert engine.dialect.create_connect_args(engine.url)[1].get("sslmode") == mode
