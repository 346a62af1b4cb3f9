"""The plan of a comparison: who is played when, against which process, and where the load rests."""

import os
import sys
from dataclasses import replace

import pytest

from jivsbench.app.comparison import ArmChoice, Judging, Load, build_rule, choose_arms
from jivsbench.app.plans import alternate, share_out
from jivsbench.app.rests import find_start_order, is_look, is_renewal, list_rests
from jivsbench.config import Settings
from jivsbench.errors import EnvironmentProblem, NoGuardError, UnknownNameError, UsageError
from jivsbench.model.record import RunKind
from tests.contract.installed import registry
from tests.unit.analysis_records import build_comparison

ARMS = ("a", "b")


def plan(blocks, rule=None):
    """A comparison of these blocks."""
    return replace(build_comparison().plan, kind=RunKind.COMPARISON, blocks=blocks, rule=rule)


@pytest.mark.parametrize(("pairs", "processes"), [(12, 1), (24, 6), (25, 6), (120, 10)])
def test_each_arm_is_first_as_often_as_the_other(pairs, processes):
    """Among the pairs of each process, and among the processes: whatever the second one suffers, both suffer."""
    blocks = alternate(ARMS, share_out(pairs, processes), 0.0, seed=3, warm_up_pairs=1)
    measured = [block for block in blocks if not block.is_warm_up]

    assert [block.index for block in blocks] == list(range(len(blocks)))
    assert [block.pair for block in measured] == [number // 2 for number in range(2 * pairs)]
    for process in range(processes):
        firsts = [block.arm for block in measured[::2] if block.process == process]
        assert abs(firsts.count("a") - firsts.count("b")) <= 1
    leads = [find_start_order(plan(blocks), process) for process in range(processes)]
    assert abs(leads.count(("a", "b")) - leads.count(("b", "a"))) <= 1
    assert set(leads) <= {("a", "b"), ("b", "a")}


def test_every_process_is_warmed_up():
    """Before its first pair, and by both arms."""
    blocks = alternate(ARMS, (2, 1, 2), 0.0, seed=3, warm_up_pairs=2)

    assert [block.pair for block in blocks[::2]] == [-1, -1, 0, 1, -1, -1, 2, -1, -1, 3, 4]
    assert [block.process for block in blocks[::2]] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
    assert all({one.arm, other.arm} == {"a", "b"} for one, other in zip(blocks[::2], blocks[1::2], strict=True))


def test_the_order_is_drawn_from_the_seed():
    """The same one gives it again, another one gives another."""
    drawn = {seed: alternate(ARMS, (60,), 0.0, seed) for seed in (1, 2)}

    assert alternate(ARMS, (60,), 0.0, 1) == drawn[1]
    assert drawn[1] != drawn[2]


def test_the_load_rests_for_looks_and_for_new_processes():
    """After the blocks that a look wants, and before the warm-up of the next process; not at the end."""
    load = Load(pairs=20, processes=10)
    rule = build_rule(Judging(looks=2), load)
    made = plan(alternate(ARMS, share_out(20, 10), 0.0, seed=3, warm_up_pairs=1), rule)

    assert rule.looks == (16, 20)
    assert list_rests(made) == tuple(6 * number for number in range(1, 10))
    assert [rest for rest in list_rests(made) if is_look(made, rest)] == [48]
    assert all(is_renewal(made, rest) for rest in list_rests(made))
    one = plan(alternate(ARMS, (20,), 0.0, seed=3), build_rule(Judging(looks=2), replace(load, processes=1)))
    assert list_rests(one) == (20,)
    assert not is_renewal(one, 20)
    assert list_rests(plan(alternate(ARMS, (20,), 0.0, seed=3))) == ()


@pytest.mark.parametrize("load", [Load(pairs=5, processes=1), Load(pairs=60, processes=5), Load(pairs=9, processes=10)])
def test_what_no_interval_can_be_made_of_is_refused(load):
    """Before anything starts: too few pairs, too few processes, a process without a pair."""
    with pytest.raises(UsageError, match="at least"):
        build_rule(Judging(), load)


@pytest.mark.parametrize("looks", range(1, 12))
@pytest.mark.parametrize("processes", [6, 7, 8, 10, 40])
def test_as_many_looks_as_a_rule_has_give_the_same_rule(processes, looks):
    """So that the command in a report plays the comparison again."""
    load = Load(pairs=120, processes=processes)
    rule = build_rule(Judging(looks=looks), load)

    assert rule.looks[-1] == 120
    assert build_rule(Judging(looks=len(rule.looks)), load) == rule


PLUGIN = """
import os
from pathlib import Path
from jivsbench.api import hookimpl
print("a word that is no answer")
Path("imported-by").write_text(str(os.getpid()))

class G:
    name = "of-b"
    def review(self, request): pass

@hookimpl
def jivsbench_register_guards():
    return [G()]
"""


def choose(**of_b):
    """What B is made of; A is as the settings have it."""
    return choose_arms(Settings(), registry(), (ArmChoice("optimized"), ArmChoice("optimized", **of_b))).stacks[1]


def test_what_one_target_alone_loads_is_not_loaded_by_the_process_that_judges(tmp_path, monkeypatch):
    """It may replace a part of the host. A child says what it is, and which guards it brings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plugin_of_b.py").write_text(PLUGIN)
    stack = choose(plugins=("plugin_of_b",))

    assert int((tmp_path / "imported-by").read_text()) != os.getpid()
    assert "plugin_of_b" not in sys.modules
    assert (stack.python, stack.plugins, stack.runtime.is_own_environment) == (None, ("plugin_of_b",), False)
    assert stack.runtime.guards == ("of-b", "sqlguard")
    assert [plugin.name for plugin in stack.runtime.plugins if "guard of-b" in plugin.offers] == ["plugin_of_b"]


def test_a_stack_that_cannot_be_is_refused_before_anything_starts(tmp_path, monkeypatch):
    """A misspelled name has the nearest one, a plugin that breaks is named, and nobody is left without a guard unasked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken_of_b.py").write_text("raise ValueError('s3cret')\n")

    with pytest.raises(UnknownNameError, match="did you mean 'sqlguard'"):
        choose(disabled_plugins=("sqlgard",))
    with pytest.raises(NoGuardError, match="needs a guard and none is loaded"):
        choose(disabled_plugins=("sqlguard",))
    with pytest.raises(
        EnvironmentProblem, match=r"broken_of_b, and failed: .* raised ValueError when it was imported: repair it"
    ):
        choose(plugins=("broken_of_b",))
