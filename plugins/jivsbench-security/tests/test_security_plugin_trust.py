"""SEC-030: which refusals say something of a plugin."""

import contextlib
import os
import socket
from types import SimpleNamespace

import pytest

from jivsbench.errors import EnvironmentProblem, InvalidRunError, PluginLoadError, SourceUnreachableError
from jivsbench_security.supply_chain.planted_plugins import lock_plugins
from jivsbench_security.supply_chain.plugin_trust import PluginTrustCheck, _Session, find_victim, list_attacks

UNANSWERED, REFUSED, FOUND = (0, 1, 0), (1, 0, 0), (1, 0, 1)


def attack(tmp_path, problem, *, runs: bool = False) -> tuple[int, int, int]:
    """Reached, unanswered and findings after one attack on a target that ends so; `runs`: the plugin's code ran before."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        @contextlib.contextmanager
        def launch(_changes):
            if runs:
                session.trap.marker.write_text("read")
            raise problem
            yield

        session = _Session(PluginTrustCheck(), SimpleNamespace(launch=launch), tmp_path, listener)
        session.attack(list_attacks(session.trap, find_victim())[0])
    return session.reached, session.unanswered, len(session.findings)


@pytest.mark.parametrize(
    ("problem", "counts"),
    [
        (PluginLoadError("plugin zz_acme is not in the lock"), REFUSED),
        (PluginLoadError("plugin postgres is not in the lock"), FOUND),
        (EnvironmentProblem("the extraction service ended before it accepted requests: see x.log"), FOUND),
        (EnvironmentProblem("the extraction service did not accept requests within 20 s: see x.log"), UNANSWERED),
        (SourceUnreachableError("no server answers"), UNANSWERED),
    ],
)
def test_a_slow_machine_is_no_plugin_that_was_not_named(tmp_path, problem, counts) -> None:
    """A start that failed for want of time or of a server is neither a refusal nor a hole."""
    assert attack(tmp_path, problem) == counts


def test_a_plugin_that_ran_is_a_hole_however_the_start_ended(tmp_path) -> None:
    """Also when the machine was too slow afterwards."""
    assert attack(tmp_path, SourceUnreachableError("no server answers"), runs=True) == FOUND


def test_a_lock_that_is_not_made_in_time_is_no_verdict(tmp_path) -> None:
    """It ends the check, and does not crash it."""
    with pytest.raises(InvalidRunError, match="had not ended"):
        lock_plugins(tmp_path, os.environ, tmp_path, timeout_s=0.01)
