"""The doctor says what it knows of a source, and where it knows nothing it says that."""

from collections.abc import Iterator

import pytest

from jivsbench.app.doctor import Diagnosis, diagnose
from jivsbench.config import Settings
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from tests.contract.installed import registry
from tests.contract.json_api import JsonApi


@pytest.fixture
def api() -> Iterator[JsonApi]:
    """An API that nobody filled yet."""
    with JsonApi() as api:
        yield api


def examine(api: JsonApi, options: str) -> dict[str, Diagnosis]:
    """What the doctor finds of a REST source, by subject."""
    url = Secret(f"rest+http://:{api.token}@127.0.0.1:{api.port}/v1?{options}")
    return {found.subject: found for found in diagnose(Settings(source=DataSource("main", "", url)), registry())}


def test_a_source_that_does_not_tell_its_grants_is_not_called_harmless(api: JsonApi) -> None:
    """Neither "can write" nor "can only read"."""
    found = examine(api, "records=data")

    assert not found["grants"].is_good
    assert "not known" in found["grants"].found
    assert "no table bench_rows" in found["test data"].found
    assert api.token not in repr(found)


def test_a_source_that_cannot_count_is_looked_at_to_the_end(api: JsonApi) -> None:
    """Its test data is there, and nobody knows how much: that stops no other look."""
    api.resources["bench_rows"] = [{"id": 1}]
    found = examine(api, "records=data")

    assert "cannot count" in found["test data"].found
    assert "reports folder" in found
    assert "1 rows in bench_rows" in examine(api, "records=data&total=total")["test data"].found
