"""Which Arrow type each reflected column is read as, and by which expression it leaves the server unchanged.

Drivers change values in silence where Python's types are narrower than the server's: MySQL writes a FLOAT with six digits,
drivers of Oracle and SQL Server cut times after the microsecond, psycopg makes a month of an interval thirty days. Such a
column is selected by an expression that keeps everything; what Arrow cannot hold is then refused here, aloud.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sqlalchemy
from sqlalchemy import ColumnElement, func, literal_column, types
from sqlalchemy.dialects import mssql, mysql, oracle
from sqlalchemy.exc import CompileError, UnsupportedCompilationError

from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column
from jivsbench_sqlalchemy.dialects import Dialect
from jivsbench_sqlalchemy.engines import MYSQL_FAMILY

_MAX_DECIMAL_PRECISION = 38
_INT64_DIGITS = 18
"""Every number of so many digits fits int64."""
_MONEY = pa.decimal128(19, 4)
_UNSIGNED_BIGINT = pa.decimal128(20, 0)
_COMPARED = (types.Boolean, types.Integer, types.Float, types.Numeric, types.DateTime, types.Date, types.Time, types.String)
"""Declared types that a filter's value can be brought to; all others are compared as text, where the server writes it."""
_ORACLE_MOMENT = 'SYYYY-MM-DD"T"HH24:MI:SS.FF9'


@dataclass(frozen=True, slots=True)
class SelectedColumn:
    """A column of a table or query: what it is read as, what it is compared as, and how it is selected."""

    column: Column
    compared: ColumnElement[Any]
    """With the type that the server declares, in which a filter compares."""
    selected: ColumnElement[Any]


def build_table_column(reflected: dict[str, Any], dialect: Dialect, policy: TypePolicy) -> SelectedColumn:
    """One column of a table, as SQLAlchemy's inspector describes it."""
    name, kind = str(reflected["name"]), reflected["type"]
    exact = _arrow_type(kind, dialect)
    is_partial = _is_partial(exact, dialect)
    arrow_type = pa.string() if is_partial and policy is TypePolicy.TEXT else exact
    is_nullable = bool(reflected.get("nullable", True)) or (is_partial and policy is TypePolicy.NULL)
    column: ColumnElement[Any] = sqlalchemy.column(name, kind)
    text: ColumnElement[Any] = sqlalchemy.cast(column, sqlalchemy.Unicode()) if dialect.can_cast_to_text else column
    reads_text = pa.types.is_string(arrow_type) and not _is_plain_text(kind)
    selected = text if reads_text and dialect.can_cast_to_text else _select_exactly(column, kind, dialect)
    compared = column if isinstance(kind, _COMPARED) and (_is_plain_text(kind) or not isinstance(kind, types.String)) else text
    # NullType: the driver's own value, without SQLAlchemy's conversions, some of which round.
    raw = sqlalchemy.type_coerce(selected, types.NullType()).label(name)
    return SelectedColumn(Column(name, _describe(kind), arrow_type, is_nullable), compared, raw)


def build_query_column(name: str) -> SelectedColumn:
    """One column of a query: no server tells its type in a way that all drivers pass on, so it is read as text."""
    compared: ColumnElement[Any] = sqlalchemy.column(name)
    raw = sqlalchemy.type_coerce(compared, types.NullType()).label(name)
    return SelectedColumn(Column(name, "", pa.string(), is_nullable=True), compared, raw)


def _arrow_type(kind: types.TypeEngine[Any], dialect: Dialect) -> pa.DataType:
    """The type that holds every usual value of a declared type; string where there is none."""
    own = _own_type(kind, dialect)
    if own is not None:
        return own
    match kind:
        case types.Boolean():
            return pa.bool_()
        case types.Integer():
            return pa.int64()
        case types.Float():
            return pa.float64()
        case types.Numeric():
            return _decimal_type(kind)
        case types.DateTime():
            return pa.timestamp("us")
        case types.Date():
            return pa.date32()
        case types.Time():
            return pa.string() if kind.timezone else pa.time64("us")
        case types._Binary():  # noqa: SLF001 - the one class above BINARY, VARBINARY and BLOB
            return pa.binary()
    return pa.string()


def _own_type(kind: types.TypeEngine[Any], dialect: Dialect) -> pa.DataType | None:
    """What a dialect means by a type, where that is not what its class says; else None."""
    if is_zoned(kind, dialect):
        return pa.timestamp("us", "UTC")
    match kind:
        case oracle.NUMBER():
            # A whole number and a decimal at once, by its class.
            return _decimal_type(kind) if kind.scale or (kind.precision or _INT64_DIGITS + 1) > _INT64_DIGITS else pa.int64()
        case oracle.FLOAT():
            # A decimal number of up to 126 binary digits.
            return pa.string()
        case mssql.MONEY() | mssql.SMALLMONEY():
            return _MONEY
        case mysql.BIGINT(unsigned=True):
            return _UNSIGNED_BIGINT
        case mysql.BIT():
            return pa.binary()
        case types.REAL() if dialect.name in ("postgresql", "mssql"):
            # Drivers give the shortest text of a single float, which is itself again as a single one alone.
            return pa.float32()
    return None


def is_zoned(kind: types.TypeEngine[Any], dialect: Dialect) -> bool:
    """True for a date and time that is one moment, wherever it is read."""
    if not isinstance(kind, types.DateTime):
        return False
    is_mysql_timestamp = dialect.name in MYSQL_FAMILY and isinstance(kind, types.TIMESTAMP)
    return isinstance(kind, mssql.DATETIMEOFFSET) or kind.timezone or is_mysql_timestamp or getattr(kind, "local_timezone", False)


def _decimal_type(kind: Any) -> pa.DataType:
    precision, scale = kind.precision, kind.scale
    # Without a scale nothing says how many decimals a value may have.
    if precision is None or scale is None or not 0 <= scale <= precision <= _MAX_DECIMAL_PRECISION:
        return pa.string()
    return pa.decimal128(precision, scale)


def _is_plain_text(kind: types.TypeEngine[Any]) -> bool:
    return isinstance(kind, types.String) and not isinstance(kind, types.Enum) and type(kind).__name__ != "SET"


def _is_partial(arrow_type: pa.DataType, dialect: Dialect) -> bool:
    """True when single values of the declared type may not fit."""
    if pa.types.is_string(arrow_type) or pa.types.is_binary(arrow_type):
        return not dialect.has_strict_types
    always_fits = pa.types.is_integer(arrow_type) or pa.types.is_floating(arrow_type) or pa.types.is_boolean(arrow_type)
    return not (always_fits and dialect.has_strict_types)


def _select_exactly(compared: ColumnElement[Any], kind: types.TypeEngine[Any], dialect: Dialect) -> ColumnElement[Any]:
    name = type(kind).__name__
    if dialect.name in MYSQL_FAMILY and name == "FLOAT":
        return compared * literal_column("1e0")
    if dialect.name == "mssql" and name in ("DATETIME2", "DATETIMEOFFSET", "TIME"):
        return sqlalchemy.cast(compared, sqlalchemy.String(34))
    if dialect.name == "oracle" and name == "TIMESTAMP":
        return func.to_char(compared, _ORACLE_MOMENT + ("TZH:TZM" if is_zoned(kind, dialect) else ""))
    if dialect.name == "oracle" and name == "INTERVAL":
        return func.to_char(compared)
    return compared


def _describe(kind: types.TypeEngine[Any]) -> str:
    try:
        return str(kind)
    except (CompileError, UnsupportedCompilationError):
        return type(kind).__name__
