"""A service that does not start leaves nothing open behind it."""

import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from jivsbench.errors import DestinationError, EnvironmentProblem, JivsbenchError
from jivsbench.service.assembly import assemble
from jivsbench.service.spec import ServiceSpec
from tests.service.service_bench import build_spec


@pytest.fixture
def _no_collector() -> Iterator[None]:
    """What is closed has to be closed by somebody, not found by the collector of garbage."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def list_open() -> set[str]:
    """What this process has open, but sockets and pipes of others."""
    found = set()
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(number.readlink()))
    return {place for place in found if place.startswith("/") and not place.startswith("/proc")}


def fail_to_begin(spec: ServiceSpec) -> ServiceSpec:
    """Its source is not among its destinations, which is found last."""
    return replace(spec, destinations=("/elsewhere",))


def fail_to_connect(spec: ServiceSpec) -> ServiceSpec:
    """Its job store does not answer."""
    return replace(spec, metadata_url="postgresql://u@127.0.0.1:1/d")


@pytest.mark.parametrize("spoil", [fail_to_begin, fail_to_connect])
@pytest.mark.usefixtures("_no_collector")
def test_a_start_that_fails_closes_what_it_opened(spoil, tmp_path: Path) -> None:
    """Files, the lock of the folder, threads; the next start finds all of it free."""
    sound = build_spec("sqlite:////nowhere/shop.db", tmp_path / "out", connector="sqlite")
    assemble(sound).close()
    before, threads = list_open(), threading.active_count()

    with pytest.raises(JivsbenchError) as caught:
        assemble(spoil(sound))

    assert isinstance(caught.value, DestinationError | EnvironmentProblem)
    del caught
    assert list_open() == before
    assert threading.active_count() == threads
    assemble(sound).close()


def test_a_service_touches_nothing_of_a_folder_that_another_has(tmp_path: Path) -> None:
    """Neither its job store nor its trail: it is locked before anything in it is opened."""
    spec = build_spec("sqlite:////nowhere/shop.db", tmp_path / "out", connector="sqlite")
    first = assemble(spec)
    try:
        first.database.close()
        (tmp_path / "out" / ".jobs" / "jobs.sqlite3").unlink()
        with pytest.raises(EnvironmentProblem, match="where another service writes"):
            assemble(spec)
        assert not (tmp_path / "out" / ".jobs" / "jobs.sqlite3").exists()
    finally:
        first.close()
