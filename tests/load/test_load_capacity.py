"""What a capacity search does when something else than the target's speed ends it."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from jivsbench.app.capacity import search_capacity
from jivsbench.errors import InvalidRunError
from jivsbench.load.progress import LoadProgress
from jivsbench.model.profile import OPTIMIZED
from tests.load.conftest import Planted
from tests.unit.analysis_records import build_arm_record, build_record


@dataclass(frozen=True)
class Service:
    """The planted service, as a target has one."""

    planted: Planted

    @property
    def is_alive(self) -> bool:
        return self.planted.process.poll() is None


def search(planted: Planted, load, folder: Path, listener):
    """A search on the planted service, of plateaus of 5 s."""
    arm = build_arm_record(OPTIMIZED)
    plan = build_record(arm).plan
    plan = replace(plan, scenario=replace(plan.scenario, p95_limit_s=2.0), time_scale=0.01)
    target = SimpleNamespace(profile=OPTIMIZED, guards=(), output_dir=folder, service=Service(planted))
    return search_capacity(plan, arm, target, spec=load(planted.arm(OPTIMIZED.name)), folder=folder, listener=listener)


def test_a_target_that_dies_of_the_search_is_no_lower_bound(plant, load, tmp_path) -> None:
    """To end a search without an upper bound would call a crash under load a capacity."""
    target = plant(job_ms=10)

    def kill(progress) -> None:
        if isinstance(progress, LoadProgress) and progress.elapsed_s >= 1.5:
            target.process.kill()

    with pytest.raises(InvalidRunError, match=r"capacity search, at .* arrivals/s: the target 'optimized' died [1-9] s into"):
        search(target, load, tmp_path, kill)


def test_a_search_that_cannot_go_on_keeps_what_was_measured(plant, load, tmp_path) -> None:
    """Nowhere to keep the samples: the plateau proves nothing, and the load before it stands."""
    (tmp_path / "capacity").write_text("in the way")

    found = search(plant(job_ms=10), load, tmp_path, lambda _: None)

    assert (found.low_per_s, found.high_per_s) == (None, None)
    assert [plateau.kept for plateau in found.plateaus] == [None]
    assert "capacity" in found.plateaus[0].reason
