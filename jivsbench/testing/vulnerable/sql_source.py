"""Source that pastes values into SQL text, and source that does not: the samples of SEC-033. It is never imported."""

from pathlib import Path
from typing import Final

from jivsbench.api import Installation

HOLES: Final = """
from psycopg import sql

def by_format_string(cursor, name):
    cursor.execute(f"SELECT * FROM customers WHERE name = '{name}'")

def by_percent(cursor, name):
    query = "SELECT * FROM customers WHERE name = '%s'" % name
    cursor.execute(query)

def by_format(connection, name):
    return connection.execute("SELECT * FROM customers WHERE name = '{}'".format(name)).fetchall()

def by_growth(cursor, names):
    query = "SELECT * FROM customers WHERE false"
    for name in names:
        query += " OR name = '" + name + "'"
    cursor.execute(query)

def build_query(name):
    return "SELECT * FROM customers WHERE name = '" + name + "'"

def by_another_function(cursor, name):
    cursor.execute(build_query(name))

def by_composed(cursor, name):
    cursor.execute(sql.SQL(f"SELECT * FROM customers WHERE name = '{name}'"))
"""
"""Six ways to do it."""
COMPOSED: Final = """
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy import column, select, table, text

TABLE = "customers"
CUSTOMERS = table("customers", column("id"), column("name"))

def by_literal(cursor, name):
    cursor.execute("SELECT * FROM customers WHERE name = %s", (name,))

def by_fixed_name(cursor, name):
    cursor.execute(f"SELECT * FROM {TABLE} WHERE name = %(name)s", {"name": name})

def by_psycopg(cursor, name, columns):
    chosen = sql.SQL(", ").join(sql.Identifier(one) for one in columns)
    query = sql.SQL("SELECT {} FROM {} WHERE name = {}").format(chosen, sql.Identifier(name), sql.Literal(name))
    cursor.execute(query)
    cursor.execute(query + sql.SQL(" LIMIT ") + sql.Placeholder(), [1])

def by_sqlalchemy(connection, name, limit):
    wanted = select(CUSTOMERS.c.id).where(CUSTOMERS.c.name == name).order_by(CUSTOMERS.c.id)
    connection.execute(wanted.limit(limit))
    connection.execute(text("SELECT id FROM customers WHERE name = :name"), {"name": name})
    connection.execute(sa.insert(CUSTOMERS), [{"name": name}])

def by_marks(cursor, values):
    marks = ", ".join("?" * len(values))
    cursor.execute(f"SELECT id FROM customers WHERE name IN ({marks})", values)

def by_number(cursor, limit):
    cursor.execute("SELECT id FROM customers LIMIT " + str(int(limit)))

def quote_name(name):
    return '"' + name.replace('"', '""') + '"'

def by_quoted_name(cursor, name):
    cursor.execute(f"DROP TABLE {quote_name(name)}")

def by_growth(cursor, name):
    conditions, values = [], []
    if name:
        conditions.append("name = %s")
        values.append(name)
    query = "SELECT id FROM customers"
    if conditions:
        query += " WHERE " + " AND ".join(conditions)
    cursor.execute(query, values)
"""
"""What others ask for and must not: literals, bound values, quoted names, statements composed by psycopg or SQLAlchemy."""


def plant_holes(folder: Path) -> Installation:
    """A package with the holes."""
    return _plant(folder / "acme_holes", HOLES)


def plant_composed(folder: Path) -> Installation:
    """A package without any."""
    return _plant(folder / "acme_composed", COMPOSED)


def _plant(package: Path, text: str) -> Installation:
    package.mkdir()
    (package / "__init__.py").write_text(text, encoding="utf-8")
    return Installation(sources=(package,))
