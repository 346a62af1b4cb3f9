"""Fixtures that every test, of the host and of its plugins, can use: real servers, embedded and not."""

import os
import signal
import uuid
from collections.abc import Generator, Iterator

import pytest
from coverage import Coverage
from hypothesis import settings

from jivsbench.embedded import PostgresServer, ValkeyServer, start_postgres, start_valkey
from tests.machine import require_answer
from tests.mysql_database import new_database

# The machines that run tests are shared and slow by turns: an example is judged by what it finds, never by its time.
settings.register_profile("default", deadline=None)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("default")

# Coverage counts jivsbench/ alone, and its tracing makes whatever runs several times slower. What these folders run is
# either not in jivsbench/ or covered by quicker tests.
_UNTRACED = ("plugins", "tests/browser", "tests/property")
# Every load is measured.
_ALONE = "tests/load"


def pytest_configure(config: pytest.Config) -> None:
    """What is this process's own before any test runs."""
    # A shell that starts the tests in the background has them ignore Ctrl-C, and so every child that a test interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # A worker of xdist is traced twice by now, as a child and by pytest-cov's start. The tracer that counts comes with the
    # session, and it is the only one that a test without coverage stops.
    if hasattr(config, "workerinput"):
        while tracer := Coverage.current():
            tracer.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What holds for every test of a folder."""
    for item in items:
        if not item.path.is_relative_to(config.rootpath):
            continue
        path = item.path.relative_to(config.rootpath).as_posix()
        if path.startswith(_UNTRACED):
            item.add_marker("no_cover")
        if path.startswith(_ALONE):
            item.add_marker("alone")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """The children of a test that is marked `no_cover` run without coverage too: its settings are in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("no_cover"):
            for name in [name for name in os.environ if name.startswith("COV")]:
                patch.delenv(name)
        return (yield)


@pytest.fixture(scope="session")
def embedded_postgres() -> Iterator[PostgresServer]:
    """An embedded PostgreSQL with an owner and a reader."""
    with start_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def embedded_postgres_url(embedded_postgres: PostgresServer) -> str:
    """URL of the owner of the embedded PostgreSQL."""
    return embedded_postgres.owner_url.reveal()


@pytest.fixture(scope="session")
def embedded_valkey() -> Iterator[ValkeyServer]:
    """An embedded Valkey."""
    with start_valkey() as server:
        yield server


@pytest.fixture(scope="session")
def embedded_valkey_url(embedded_valkey: ValkeyServer) -> str:
    """URL of the embedded Valkey's administrator: tests look at keys, and change them, behind the back of what they test."""
    return embedded_valkey.admin_url.reveal()


@pytest.fixture(scope="session")
def real_postgres_url() -> str:
    """URL of a PostgreSQL that this project did not start."""
    url = os.environ.get("JIVSBENCH_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    require_answer(url, "PostgreSQL", 5432)
    return url


@pytest.fixture(scope="session")
def real_mysql_url() -> Iterator[str]:
    """URL of a new database on a MySQL or MariaDB that this project did not start; dropped at the end."""
    url = os.environ.get("JIVSBENCH_TEST_MYSQL_URL", "mysql://root@127.0.0.1:3306")
    require_answer(url, "MySQL or MariaDB", 3306)
    with new_database(url) as own:
        yield own


@pytest.fixture(scope="session")
def real_redis_url() -> str:
    """URL of a Redis that this project did not start."""
    url = os.environ.get("JIVSBENCH_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
    require_answer(url, "Redis", 6379)
    return url


@pytest.fixture(scope="session")
def real_mariadb_url() -> str:
    """SQLAlchemy's URL of a MariaDB that this project did not start."""
    url = os.environ.get("JIVSBENCH_TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/")
    require_answer(url, "MariaDB", 3306)
    return url


@pytest.fixture(scope="session")
def mariadb_database_url(real_mariadb_url: str) -> Iterator[str]:
    """SQLAlchemy's URL of a new database on it, gone after the tests."""
    import sqlalchemy

    name = f"jivsbench_{uuid.uuid4().hex[:12]}"
    engine = sqlalchemy.create_engine(real_mariadb_url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        yield engine.url.set(database=name).render_as_string(hide_password=False)
        connection.exec_driver_sql(f"DROP DATABASE {name}")
