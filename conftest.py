"""Fixtures that every test, of the host and of its plugins, can use: real servers, embedded and not."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from jivsbench.embedded import PostgresServer, ValkeyServer, start_postgres, start_valkey
from tests.machine import require_answer

# The machines that run tests are shared and slow by turns: an example is judged by what it finds, never by its time.
settings.register_profile("default", deadline=None)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("default")


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
    """URL of the embedded Valkey."""
    return embedded_valkey.url.reveal()


@pytest.fixture(scope="session")
def real_postgres_url() -> str:
    """URL of a PostgreSQL that this project did not start."""
    url = os.environ.get("JIVSBENCH_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    require_answer(url, "PostgreSQL", 5432)
    return url


@pytest.fixture(scope="session")
def real_redis_url() -> str:
    """URL of a Redis that this project did not start."""
    url = os.environ.get("JIVSBENCH_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
    require_answer(url, "Redis", 6379)
    return url
