"""The doctor says what it knows of a source, and where it knows nothing it says that."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jivsbench.app.doctor import Diagnosis, diagnose
from jivsbench.config import Settings
from jivsbench.errors import EnvironmentProblem
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import Registry
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


def look_at(settings: Settings, offers: Registry | None = None) -> dict[str, Diagnosis]:
    """What the doctor finds, by subject: the cache is one that is met on the way."""
    found = {one.subject: one for one in diagnose(settings, offers or registry())}
    assert {"python", "plugins", "cache", "reports folder"} <= {*found}
    return found


CACHE = Secret("redis://127.0.0.1:1/0")


def test_a_source_that_no_connector_opens_is_one_finding(tmp_path: Path) -> None:
    """The others are looked at all the same."""
    settings = Settings(DataSource("main", "", Secret("oracle://h/d")), CACHE, reports_dir=tmp_path)
    found = look_at(settings)

    assert found["source"].is_fatal
    assert "oracle" in found["source"].found
    assert "grants" not in found
    assert found["reports folder"].is_good


class Leaving:
    """A connector whose server is gone after so many connections."""

    name, schemes = "leaving", ("leaving",)

    def __init__(self, open_one: Callable[..., object], connections: int) -> None:
        self._open_one = open_one
        self._left = connections

    def connect(self, source: DataSource, limits: object) -> object:
        """One of the real ones, while there are some left."""
        if not self._left:
            raise EnvironmentProblem("the server has left")
        self._left -= 1
        return self._open_one(source, limits)


@pytest.mark.parametrize("connections", [0, 1, 2])
def test_a_source_that_leaves_meanwhile_hides_no_other_finding(connections: int, tmp_path: Path) -> None:
    """Whichever connection is its last."""
    (tmp_path / "d.sqlite3").touch()
    leaving = Leaving(registry().connector("sqlite").connect, connections)
    source = DataSource("main", "leaving", Secret(f"sqlite:///{tmp_path}/d.sqlite3"))
    found = look_at(Settings(source, CACHE, reports_dir=tmp_path), replace(registry(), connectors=(leaving,)))

    assert found["source"].is_good == (connections > 0)
    assert [one.subject for one in found.values() if "the server has left" in one.found] == [
        ["source"],
        ["grants", "test data"],
        ["test data"],
    ][connections]


def test_a_reports_folder_that_no_file_system_holds_is_one_finding(tmp_path: Path) -> None:
    """The operating system refuses to look."""
    found = look_at(Settings(cache_url=CACHE, reports_dir=tmp_path / ("a" * 300)))

    assert "cannot be written (File name too long): choose another folder" in found["reports folder"].found


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_reports_folder_below_a_closed_one_is_one_finding(tmp_path: Path) -> None:
    """Nobody may even ask whether it is there."""
    (tmp_path / "closed").mkdir(mode=0)
    found = look_at(Settings(cache_url=CACHE, reports_dir=tmp_path / "closed" / "reports"))

    assert "cannot be written (Permission denied): choose another folder" in found["reports folder"].found
