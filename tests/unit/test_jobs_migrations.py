"""The migrations of the job store build exactly the tables that the code speaks of."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from jivsbench.extract.jobs import migrations
from jivsbench.extract.jobs.models import StoreTables
from tests.unit.jobs_stores import own_database

TABLES = {"data_sources", "jobs", "job_statistics", "job_logs"}


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request, tmp_path):
    """An engine on an empty database."""
    if request.param == "sqlite":
        built = create_engine(f"sqlite:///{tmp_path}/jobs.sqlite3")
        yield built
        built.dispose()
        return
    with own_database(request.getfixturevalue("embedded_postgres_url")) as url:
        built = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        yield built
        built.dispose()


def test_migrations_and_models_are_equal(engine) -> None:
    """Alembic finds nothing to change after the upgrade, types included."""
    with engine.begin() as connection:
        migrations.upgrade(connection)
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), StoreTables.metadata)

    assert found == []


def test_an_upgrade_keeps_rows_and_can_be_repeated(engine) -> None:
    """A second service that starts on the same database changes nothing."""
    row = "INSERT INTO data_sources VALUES (1, 's', 'fake', NULL, 'error', NULL, true, true, 1, 1, 1)"
    with engine.begin() as connection:
        migrations.upgrade(connection)
        connection.execute(text(row))
    with engine.begin() as connection:
        migrations.upgrade(connection)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM data_sources")).scalars().all() == ["s"]
        assert set(inspect(connection).get_table_names()) >= TABLES


def test_a_downgrade_takes_everything_back(engine) -> None:
    """The first revision leaves no table behind but Alembic's own."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        migrations.upgrade(connection)
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}


def test_there_is_one_head() -> None:
    """Two revisions that both call themselves the newest would make the upgrade guess."""
    script = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert len(script.get_heads()) == 1
