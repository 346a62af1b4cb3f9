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
    """Without any revision no table is left but Alembic's own."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        migrations.upgrade(connection)
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}


def test_each_branch_has_one_head() -> None:
    """Two revisions of one branch that both call themselves the newest would make the upgrade guess."""
    script = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert len(script.get_heads()) == 2
    assert {script.get_revision(head).branch_labels.pop() for head in ("schema@head", "indexes@head")} == {"schema", "indexes"}


def test_indexes_come_and_go_with_their_switch(engine) -> None:
    """A profile without them drops what another one made, and the rows stay."""
    found = []
    for has_indexes in (True, False, False, True):
        with engine.begin() as connection:
            migrations.upgrade(connection, has_indexes=has_indexes)
            found.append({index["name"] for index in inspect(connection).get_indexes("jobs")})

    names = {"ix_jobs_state_created_us", "ix_jobs_created_us", "ix_jobs_running", "ix_jobs_completed"}
    assert found == [names, set(), set(), names]
