"""A target with planted times and failures, as a process of its own, and a load for it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3

from jivsbench.load.spec import LoadArm, LoadSpec
from jivsbench.model.scenario import Block, Stage, WorkloadSpec

FOLDER = Path(__file__).parent
# Loads are tested without any other plugin: a plugin that is broken is its own tests' business.
_OTHERS = ("builtin", *(f"jivsbench-{name}" for name in ("memory", "postgres", "redis", "security", "sqlguard", "sqlite")))


@dataclass(frozen=True)
class Planted:
    """A running planted service."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def facts(self) -> dict:
        """What it was asked so far."""
        return urllib3.request("GET", f"{self.url}/_facts", timeout=5).json()

    def arm(self, name: str = "a") -> LoadArm:
        return LoadArm(name, self.url, "secret-token", self.process.pid)


@pytest.fixture
def plant() -> Iterator[Callable[..., Planted]]:
    """Start planted services with the API of the extraction service; they are gone at the end of the test."""
    yield from start_services("planted_service.py")


@pytest.fixture
def plant_ping() -> Iterator[Callable[..., Planted]]:
    """Start fast trivial targets with a planted stall or planted service times."""
    yield from start_services("ping_service.py")


def start_services(script: str) -> Iterator[Callable[..., Planted]]:
    """A function that starts what the script serves; all of it is gone at the end."""
    running: list[subprocess.Popen[str]] = []

    def start(**plant: object) -> Planted:
        argv = [sys.executable, str(FOLDER / script), json.dumps(plant)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return Planted(process, int(process.stdout.readline()))

    yield start
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., LoadSpec]:
    """Build a load of one second by five users, unless told otherwise; one block for each arm."""
    monkeypatch.setenv("PYTHONPATH", str(FOLDER))

    def build(*arms: LoadArm, **changes: object) -> LoadSpec:
        facts: dict = {
            "arms": arms,
            "source": "planted",
            "table_rows": 100_000,
            "workload": WorkloadSpec("extraction", "bench_rows", 1000),
            "stages": (Stage(1.0, 5, is_step=True),),
            "blocks": tuple(Block(index, 0, arm.arm, 0.0) for index, arm in enumerate(arms)),
            "seed": 7,
            "intervals_path": str(tmp_path / "intervals.jsonl"),
            "plugins": ("planted_plugin",),
            "disabled_plugins": _OTHERS,
        }
        return LoadSpec(**(facts | changes))

    return build
