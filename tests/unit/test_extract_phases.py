"""A target with a slow phase shows it in that phase: the slowness is planted, one place at a time."""

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from jivsbench.api import GuardRequest
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.phases import PhaseClock, sum_phases
from jivsbench.model.job import ExtractionResult, Phase, ReadTimes
from jivsbench.model.profile import PoolLimits
from tests.unit import extract_fakes
from tests.unit.extract_fakes import REQUEST, FakeServer, build_profile, build_source

SLOW_S = 0.15


class SlowGuard:
    """A guard that thinks."""

    name = "slow"

    def review(self, request: GuardRequest) -> None:  # noqa: ARG002 - the protocol's
        """Sleep, and agree."""
        time.sleep(SLOW_S)


@dataclass
class SlowServer(FakeServer):
    """A server that is slow in one place."""

    slow: str = ""
    slow_s: float = SLOW_S

    def pause(self, place: str) -> None:
        """Sleep where it was planted."""
        if place == self.slow:
            time.sleep(self.slow_s)


class SlowConnection(extract_fakes.FakeConnection):
    """A session with it, which also tells what its reads were spent on."""

    server: SlowServer

    def begin(self, snapshot=None):
        self.server.pause("begin")
        return super().begin(snapshot)

    def schema(self, request):
        self.server.pause("schema")
        return super().schema(request)

    def read(self, partition):
        for name in ("execute", "first_row", "first_decode"):
            self.server.pause(name)
        for number, batch in enumerate(super().read(partition)):
            if number == 1:
                self.server.pause("fetch")
                self.server.pause("decode")
            yield batch

    def fingerprint(self, partition):
        self.server.pause("verify")
        return super().fingerprint(partition)

    def take_read_times(self) -> ReadTimes:
        slow_ns = round(SLOW_S * 1e9)
        told = {"execute": "execute_ns", "first_decode": "first_decode_ns", "decode": "decode_ns"}
        return ReadTimes(**{told[self.server.slow]: slow_ns}) if self.server.slow in told else ReadTimes()


class SlowConnector(extract_fakes.FakeConnector):
    """Opens such sessions."""

    def connect(self, source, limits):  # noqa: ARG002 - the protocol's
        self.server.pause("connect")
        connection = SlowConnection(self.server)
        self.server.connections.append(connection)
        return connection


def extract(folder: Path, slow: str, guards=(), lookup=None, *, has_pool: bool = True) -> ExtractionResult:
    """One job against a server that is slow there."""
    server = SlowServer(rows=100, slow=slow)
    extra = {} if lookup is None else {"schemas": lookup}
    profile = build_profile(streams=1)
    profile = replace(profile, switches=replace(profile.switches, pool=has_pool))
    extractor = Extractor(connectors={"fake": SlowConnector(server)}, guards=guards, profile=profile, output_dir=folder, **extra)
    try:
        return extractor.extract("job", build_source(), REQUEST)
    finally:
        extractor.close(0.0)


@pytest.mark.parametrize(
    ("slow", "phase"),
    [
        ("connect", Phase.CONNECT),
        ("begin", Phase.SCHEMA),
        ("schema", Phase.SCHEMA),
        ("execute", Phase.EXECUTE),
        ("first_row", Phase.FIRST_ROW),
        ("first_decode", Phase.DECODE),
        ("fetch", Phase.FETCH),
        ("decode", Phase.DECODE),
        ("verify", Phase.VERIFY),
    ],
)
@pytest.mark.parametrize("profile", ["pool", "no pool"])
def test_a_slow_source_shows_in_its_phase(tmp_path: Path, slow: str, phase: Phase, profile: str) -> None:
    """With and without a pool: the planted time is booked there, and no phase that asks no disk is longer."""
    result = extract(tmp_path, slow, has_pool=profile == "pool")

    times = {one.phase: one.duration_ns / 1e9 for one in result.phases}
    assert times[phase] >= SLOW_S * 0.95, times
    others = [duration_s for one, duration_s in times.items() if one not in {phase, Phase.WRITE, Phase.COMMIT}]
    assert max(others) < times[phase], times
    assert sum(times.values()) <= result.duration_ns / 1e9


def test_a_slow_guard_shows_in_guard(tmp_path: Path) -> None:
    """Guards are asked before a connection is borrowed."""
    times = {one.phase: one.duration_ns for one in extract(tmp_path, "", (SlowGuard(),)).phases}

    assert times[Phase.GUARD] >= SLOW_S * 0.95e9


def test_a_slow_cache_shows_in_cache_and_what_it_loads_in_schema(tmp_path: Path) -> None:
    """The look-up is the cache's time; what the server is asked for on a miss is not."""

    def look_up(_source, _request, load, _tell_version):
        time.sleep(SLOW_S)
        return load()

    times = {one.phase: one.duration_ns / 1e9 for one in extract(tmp_path, "schema", lookup=look_up).phases}

    # The clock is in one phase at a time, so what both have is what each slept.
    assert times[Phase.CACHE] >= SLOW_S * 0.95
    assert times[Phase.SCHEMA] >= SLOW_S * 0.95


def test_waiting_for_a_connection_of_others_is_pool_wait(tmp_path: Path) -> None:
    """One connection, two jobs: the second waits as long as the first reads, and connects nothing."""
    server = SlowServer(rows=100, slow="fetch", slow_s=1.0)
    extractor = Extractor(
        connectors={"fake": SlowConnector(server)},
        guards=(),
        profile=build_profile(pool=PoolLimits(min_idle=0, max_size=1), streams=1),
        output_dir=tmp_path,
    )
    first = threading.Thread(target=lambda: extractor.extract("first", build_source(), REQUEST))
    first.start()
    assert extract_fakes.wait_until(lambda: bool(server.connections and server.connections[0].begun))

    result = extractor.extract("second", build_source(), REQUEST)

    first.join()
    extractor.close(0.0)
    times = {one.phase: one.duration_ns / 1e9 for one in result.phases}
    assert times[Phase.POOL_WAIT] >= server.slow_s * 0.5
    assert times[Phase.CONNECT] == 0


def test_encoding_and_writing_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are there, and writing is what the system's calls took: a sync at least."""
    sync = os.fsync

    def sync_slowly(file: int) -> None:
        time.sleep(SLOW_S)
        sync(file)

    monkeypatch.setattr(os, "fsync", sync_slowly)
    times = {one.phase: one.duration_ns for one in extract(tmp_path, "").phases}

    assert times[Phase.WRITE] >= SLOW_S * 0.95e9
    assert times[Phase.ENCODE] > 0


def test_no_more_is_moved_than_there_is() -> None:
    """What a connector claims cannot make a job longer than it was."""
    clock = PhaseClock(Phase.FETCH)
    time.sleep(0.01)
    clock.enter(Phase.ENCODE)
    clock.move(Phase.FETCH, Phase.DECODE, 10**12)
    clock.move(Phase.VERIFY, Phase.DECODE, 10**12)

    times = {one.phase: one.duration_ns for one in sum_phases([clock.stop()])}

    assert times[Phase.FETCH] == 0
    assert 10_000_000 <= times[Phase.DECODE] < 10**9
