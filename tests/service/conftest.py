"""Sources and services that the tests of the service share."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest

from jivsbench.app.data import load_dataset
from jivsbench.dataset import Dataset
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import load_registry
from tests.listening import ignore
from tests.service.pool_sources import count_sessions
from tests.service.service_bench import OTHERS, ROWS, Bench, build_spec, running
from tests.unit.extract_fakes import wait_until


@pytest.fixture(scope="session")
def shop_url(embedded_postgres_url: str) -> Iterator[str]:
    """A database of its own on the embedded PostgreSQL, with bench_rows in it."""
    name = f"shop_{secrets.token_hex(4)}"
    with psycopg.connect(embedded_postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        url = embedded_postgres_url.rpartition("/")[0] + f"/{name}"
        load_dataset(
            load_registry(disabled=OTHERS["postgres"]), DataSource("shop", "postgres", Secret(url)), Dataset(ROWS), ignore
        )
        yield url
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shop_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A SQLite file with bench_rows in it."""
    url = f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.sqlite3'}"
    load_dataset(load_registry(disabled=OTHERS["sqlite"]), DataSource("shop", "sqlite", Secret(url)), Dataset(ROWS), ignore)
    return url


@pytest.fixture(scope="module")
def bench(shop_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A service over PostgreSQL with profile `optimized`, for all tests of one module."""
    folder = tmp_path_factory.mktemp("service")
    with running(build_spec(shop_url, folder / "out"), folder) as started:
        yield started


@pytest.fixture
def admin(embedded_postgres_url: str) -> Iterator[psycopg.Connection]:
    """A session beside the pool."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def clerk(admin: psycopg.Connection, embedded_postgres_url: str) -> Iterator[str]:
    """URL of a user that may have one session at a time, and whose password a test may change."""
    # A test before that ended badly may have left it.
    admin.execute("DROP ROLE IF EXISTS clerk")
    admin.execute("CREATE ROLE clerk LOGIN PASSWORD 'first' CONNECTION LIMIT 1")
    place = embedded_postgres_url.rpartition("@")[2]
    yield f"postgresql://clerk:first@{place}"
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'clerk'")
    assert wait_until(lambda: count_sessions(admin, "usename = 'clerk'") == 0)
    admin.execute("DROP ROLE clerk")
