"""A load that is shared by several machines is the load of one: nothing is left out, nothing is sent twice."""

from dataclasses import replace
from heapq import merge

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.load.shape import user_changes
from jivsbench.load.sharing import merge_facts, share_arrivals, share_changes, share_count, share_spec
from jivsbench.load.spec import LoadSpec, Share
from jivsbench.model.arrivals import arrival_times_ns
from jivsbench.model.record import GeneratorFacts
from jivsbench.model.scenario import Arrival, Block, Gaps, Stage, WorkloadSpec

STAGES = st.lists(
    st.builds(
        Stage,
        duration_s=st.sampled_from([0.5, 2.0]),
        users=st.integers(0, 30),
        rate_per_s=st.sampled_from([0.0, 2.5, 40.0]),
        is_step=st.booleans(),
    ),
    max_size=4,
)
MACHINES = st.integers(1, 5)


def build_spec(stages, gaps=Gaps.EVEN, **changes) -> LoadSpec:
    """An open loop of one block."""
    workload = WorkloadSpec("ping", "t", 1)
    block = Block(0, 0, "a", 0.0)
    return LoadSpec((), "s", 1, workload, tuple(stages), (block,), 7, "", arrival=Arrival.RATE, gaps=gaps, **changes)


@given(STAGES, MACHINES, st.sampled_from(Gaps))
def test_merged_arrivals_are_those_of_one_machine(stages, machines, gaps) -> None:
    """The intended times of all machines together, in order, equal the single list; every arrival keeps its number."""
    spec = build_spec(stages, gaps)
    parts = [list(share_arrivals(share_spec(spec, Share(index, machines)), 0)) for index in range(machines)]

    together = list(merge(*parts, key=lambda arrival: arrival.number))

    assert [arrival.after_ns for arrival in together] == list(arrival_times_ns(stages, gaps, spec.seed, 0))
    assert [arrival.number for arrival in together] == list(range(len(together)))


@given(STAGES, MACHINES)
def test_merged_users_are_those_of_one_machine(stages, machines) -> None:
    """At every change of the curve the machines' users add up to the curve's."""
    parts = [share_changes(stages, Share(index, machines)) for index in range(machines)]

    assert [sum(change.users for change in changes) for changes in zip(*parts, strict=True)] == [
        change.users for change in user_changes(stages)
    ]


@given(st.integers(0, 100), MACHINES)
def test_every_number_belongs_to_one_machine(count, machines) -> None:
    """Counts add up, and no machine has more than one more than another."""
    counts = [share_count(count, Share(index, machines)) for index in range(machines)]

    assert sum(counts) == count
    assert max(counts) - min(counts) <= 1


def test_limits_are_shared_and_never_nothing() -> None:
    """Ten places over three machines are ten; a machine without a place could send nothing, so each has one."""
    spec = build_spec([], in_flight_limit=10, queue_limit=2)
    parts = [share_spec(spec, Share(index, 3)) for index in range(3)]

    assert [part.in_flight_limit for part in parts] == [4, 3, 3]
    assert [part.queue_limit for part in parts] == [1, 1, 0]
    assert share_spec(build_spec([], in_flight_limit=1), Share(1, 2)).in_flight_limit == 1


def test_of_what_can_be_bad_the_worst_machine_stands_for_all() -> None:
    """Counts add up; lag, CPU and stolen time are the worst; what one machine does not know is unknown."""
    first = GeneratorFacts(0.2, 1e6, 3, 3, 100, 5.0, "timerfd", 60, 60, 0, 0.0, 4, 0, 0.01, 10, 1000)
    second = GeneratorFacts(0.9, 7e6, 2, 1, 50, 5.5, "sleep", 40, 39, 1, 0.05, 2, 1, None, 99, 5)

    facts = merge_facts([replace(first, cpu_highest_ratio=0.95), replace(second, cpu_highest_ratio=0.91)])

    assert (facts.cpu_highest_ratio, merge_facts([first, second]).cpu_highest_ratio) == (0.95, None)
    assert (facts.cpu_ratio, facts.lag_p99_ns, facts.wall_s, facts.clock_jump_ns) == (0.9, 7e6, 5.5, 99)
    assert (facts.users_planned_max, facts.users_reached_max, facts.operations) == (5, 4, 150)
    assert (facts.arrivals_planned, facts.arrivals_offered, facts.arrivals_not_sent) == (100, 99, 1)
    assert facts.off_plan_ratio == pytest.approx(0.02)
    assert (facts.pacing, facts.steal_ratio, facts.workers) == ("sleep and timerfd", None, 2)
