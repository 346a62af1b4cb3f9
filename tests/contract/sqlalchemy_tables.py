"""The contract's table in any database that SQLAlchemy can write to."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from sqlalchemy.dialects import mysql

from jivsbench.testing.contract_table import LoadedTable, build_contract_table, new_table_name


@contextmanager
def write_contract_table(url: str, collation: str | None) -> Iterator[LoadedTable]:
    """A table of awkward values, gone at the end of the block."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    name, rows = new_table_name(), build_contract_table()
    moment = sqlalchemy.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    table = sqlalchemy.Table(
        name.name,
        sqlalchemy.MetaData(),
        sqlalchemy.Column("id", sqlalchemy.BigInteger, primary_key=True, autoincrement=False),
        sqlalchemy.Column("name", sqlalchemy.String(100, collation=collation)),
        sqlalchemy.Column("amount", sqlalchemy.Numeric(12, 2)),
        sqlalchemy.Column("ratio", sqlalchemy.Double),
        sqlalchemy.Column("is_active", sqlalchemy.Boolean),
        sqlalchemy.Column("created_at", moment),
    )
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), rows.to_pylist())
    yield LoadedTable(name, rows)
    with engine.begin() as connection:
        table.drop(connection)
