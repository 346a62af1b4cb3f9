"""Migrations of the job store, run by the service at start."""

from pathlib import Path

from sqlalchemy import Connection, text


def upgrade(connection: Connection, *, has_indexes: bool = True) -> None:
    """Bring the database behind `connection` to the newest revision, inside the connection's transaction.

    Indexes that only speed up are made or dropped, as `has_indexes` says.
    """
    # Alembic takes longer to import than to run; a program that opens no job store does not pay for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "schema@head")
    if has_indexes:
        command.upgrade(config, "indexes@head")
    elif connection.execute(text("SELECT 1 FROM alembic_version WHERE version_num LIKE 'indexes%'")).first():
        command.downgrade(config, "indexes@base")
