"""Tables of a check's own in the source, which the target's user may read, gone at the end."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from psycopg import sql

from jivsbench.api import CheckContext
from jivsbench.errors import AccessDeniedError, OutputError
from jivsbench.model.table import TableName
from jivsbench_security.hostile_check import SourceUnfitError
from jivsbench_security.own_sessions import CONNECTOR, making, need_unicode, open_session


@contextmanager
def plant_table(context: CheckContext, name: str, rows: pa.RecordBatch) -> Iterator[TableName]:
    """A table of these rows, whose first column is the key. Raises SourceUnfitError when the source takes none."""
    loader, source, table = context.loader(), context.data_source(), TableName(name)
    if loader is None:
        raise SourceUnfitError(f"the connector {source.connector!r} cannot write the tables that the check needs")
    try:
        loader.load_table(source, table, rows.schema, iter([rows]), ())
    except (AccessDeniedError, OutputError) as refusal:
        told = f"the source's owner may not make the tables that the check needs ({refusal.slug})"
        raise SourceUnfitError(f"{told}: give the check a source whose owner may") from refusal
    try:
        if source.connector == CONNECTOR:
            _let_all_read(context, table)
        yield table
    finally:
        loader.drop_table(source, table)


def need_unicode_source(context: CheckContext) -> None:
    """Raise SourceUnfitError for a PostgreSQL database that does not take every letter."""
    if context.data_source().connector == CONNECTOR:
        with open_session(context.data_source().url) as session:
            need_unicode(session)


def _let_all_read(context: CheckContext, table: TableName) -> None:
    """The target's user need not have default privileges on what the owner makes."""
    with open_session(context.data_source().url) as session, making("a table that others may read"):
        session.execute(sql.SQL("GRANT SELECT ON {} TO PUBLIC").format(sql.Identifier(table.name)))
