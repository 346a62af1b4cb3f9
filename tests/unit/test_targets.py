"""Targets that do not come up as they should: an error of the environment, which no check takes for a hole."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jivsbench.app.targets import SAME, LineUp, Target, _ask_guards
from jivsbench.errors import EnvironmentProblem
from jivsbench.model.profile import LEGACY, OPTIMIZED
from jivsbench.service.launcher import RunningService


def test_a_service_that_is_gone_before_it_is_asked_is_a_problem_of_the_environment():
    """It ended, or this machine is too busy: said with the class of what happened, and without the token."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(EnvironmentProblem, match=r"did not answer \(MaxRetryError\)") as raised:
        _ask_guards(RunningService(f"http://127.0.0.1:{port}", 0, "a-token", None))
    assert "a-token" not in str(raised.value)


class Stage:
    """Where planted targets are started and ended; one of a name that is in `broken` does not start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.up: list[str] = []
        self.broken: set[str] = set()
        self.while_starting: Callable[[str], object] = lambda _name: None

    @contextmanager
    def start(self, profile, stack) -> Iterator[Target]:
        """One target with an output folder of its own."""
        if profile.name in self.broken:
            raise EnvironmentProblem("no target")
        folder = self.folder / profile.name
        folder.mkdir()
        self.while_starting(profile.name)
        self.up.append(profile.name)
        try:
            yield Target(profile, RunningService("http://127.0.0.1:1", 0, "a-token", None), folder, (), stack)
        finally:
            self.up.remove(profile.name)


def test_targets_are_replaced_by_new_ones_in_the_order_of_the_profiles(tmp_path):
    """Whichever is started first; their outputs go with them, and after the block nobody is up."""
    stage, greeted = Stage(tmp_path), []
    with LineUp(stage.start, (LEGACY, OPTIMIZED), (), greeted.append) as line_up:
        line_up.fill(("legacy", "optimized"))
        first = line_up.targets
        line_up.fill(("optimized", "legacy"))

        assert [target.profile for target in line_up.targets] == [LEGACY, OPTIMIZED]
        assert [arm.arm for arm in line_up.as_load_arms()] == ["legacy", "optimized"]
        assert sorted(stage.up) == ["legacy", "optimized"]
        assert greeted == [*first, *line_up.targets]
        assert all(target is not old and target.stack is SAME for target, old in zip(line_up.targets, first, strict=True))
    assert stage.up == []


@pytest.mark.parametrize("broken", ["legacy", "optimized"])
def test_a_target_that_does_not_start_takes_the_others_with_it(tmp_path, broken):
    """At the first start and at a later one; the one that did start is ended."""
    stage = Stage(tmp_path)
    with LineUp(stage.start, (LEGACY, OPTIMIZED)) as line_up:
        line_up.fill(("legacy", "optimized"))
        stage.broken = {broken}
        with pytest.raises(EnvironmentProblem, match="no target"):
            line_up.fill(("legacy", "optimized"))
        assert stage.up == []


@pytest.mark.parametrize("pause_s", [0.0, 0.2], ids=["waiting", "submitting"])
def test_nothing_stays_up_that_was_starting_when_the_user_interrupted(tmp_path, monkeypatch, pause_s):
    """Ctrl-C is raised once all have started or failed, also when it comes before the pool knows of the thread that starts."""
    stage, started = Stage(tmp_path), threading.Event()
    begin = threading.Thread.start

    def begin_slowly(thread: threading.Thread) -> None:
        begin(thread)
        time.sleep(pause_s)

    monkeypatch.setattr(threading.Thread, "start", begin_slowly)

    def interrupt(name: str) -> None:
        if name == "optimized":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)
            started.set()

    stage.while_starting = interrupt
    with pytest.raises(KeyboardInterrupt), LineUp(stage.start, (LEGACY, OPTIMIZED)) as line_up:
        line_up.fill(("optimized", "legacy"))

    assert started.is_set()
    assert stage.up == []
