"""Fixtures for tests of whole commands."""

from collections.abc import Iterator

import pytest

from jivsbench.app.data import drop_dataset, load_dataset
from jivsbench.dataset import Dataset
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import load_registry
from tests.listening import ignore

LOADED_ROWS = 20_000


@pytest.fixture(scope="session")
def loaded_source(embedded_postgres_url: str) -> Iterator[str]:
    """URL of the embedded PostgreSQL with 20,000 rows in bench_rows."""
    registry = load_registry()
    owner = DataSource("main", "postgres", Secret(embedded_postgres_url))
    load_dataset(registry, owner, Dataset(LOADED_ROWS), ignore)
    yield embedded_postgres_url
    drop_dataset(registry, owner)
