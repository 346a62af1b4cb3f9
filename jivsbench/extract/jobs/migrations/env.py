"""Run by Alembic for every command: migrates over the connection that `upgrade` hands in, and over no other."""

from alembic import context
from sqlalchemy import Connection, text

from jivsbench.extract.jobs.models import StoreTables

# Any number, as long as it is always the same: two services that start at once on one server take turns.
_LOCK = 7_401_951


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    context.configure(connection=connection, target_metadata=StoreTables.metadata)
    context.run_migrations()


_migrate(context.config.attributes["connection"])
