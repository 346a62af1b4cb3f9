from dataclasses import replace

import pytest

from jivsbench.analysis import find_invalidities
from jivsbench.analysis.schedule import list_steps
from jivsbench.analysis.validity import lag_limit_ns
from jivsbench.model.monitor_rows import MonitorFacts
from jivsbench.model.record import JobTotals
from jivsbench.model.scenario import Stage
from tests.planted_load import step_row
from tests.unit.analysis_records import MS, build_arm_record, build_check, build_comparison, build_look, build_record, change_arm

PLATEAU = list_steps([Stage(10, 20, is_step=True)])[0]
RUN = build_record(build_arm_record())


def change_generator(**changes):
    """The healthy run with another load generator."""
    return replace(RUN, generator=replace(RUN.generator, **changes))


def without_jobs(call_errors=0, *, times_jobs=False):
    """A run of a workload that only calls."""
    record = change_arm(RUN, totals=JobTotals(0, 0, 0, 0, 0, 0, 0), call_errors=call_errors)
    return replace(record, generator=replace(RUN.generator, times_jobs=times_jobs))


def test_a_workload_without_jobs_needs_none():
    """One answered request is enough where nobody asked for a job; a file that does not say so had jobs."""
    assert find_invalidities(without_jobs(call_errors=999)) == ()
    assert "no request to optimized was answered" in find_invalidities(without_jobs(call_errors=1000))[0]
    assert "no job of optimized completed" in find_invalidities(without_jobs(times_jobs=True))[0]


@pytest.mark.parametrize("record", [RUN, build_comparison(), build_record(checks=(build_check(),))])
def test_a_healthy_run_is_valid(record):
    """A run, a comparison and a run of security checks alone say what they measured."""
    assert find_invalidities(record) == ()


@pytest.mark.parametrize(
    ("record", "parts"),
    [
        (build_record(checks=()), ("measured nothing",)),
        (
            change_arm(RUN, totals=JobTotals(5, 0, 5, 0, 0, 0, 0)),
            ("no job of optimized completed", "5 were created", "at least 1"),
        ),
        (change_arm(RUN, totals=JobTotals(9, 5, 1, 1, 1, 0, 0)), ("not conserved", "9 created", "= 8")),
        (replace(RUN, generator=None), ("reported nothing of itself",)),
        (change_generator(cpu_ratio=0.8501), ("85.01% of its core, at most 85%",)),
        (change_generator(cpu_ratio=0.850001), ("85.0001% of its core, at most 85%",)),
        (change_generator(cpu_highest_ratio=0.8500001), ("85.00001% of its core in its busiest 10 s",)),
        (change_generator(cpu_highest_ratio=0.91), ("91.0% of its core in its busiest 10 s, at most 85%",)),
        (change_generator(cpu_ratio=None), ("CPU is unknown", "85%")),
        (change_generator(lag_p99_ns=5.01 * MS), ("lag p99 was 5.01 ms, at most 4.998 ms",)),
        (change_generator(lag_p99_ns=4.9989 * MS), ("lag p99 was 5.00 ms, at most 4.998 ms",)),
        (change_generator(lag_p99_ns=None), ("lag is unknown", "4.998 ms")),
        (change_generator(users_reached_max=9), ("9 users were reached of 10 planned", "1%")),
        (change_generator(users_reached_max=11), ("11 users were reached",)),
        (change_generator(arrivals_planned=200, arrivals_offered=197), ("197 iterations were offered of 200 planned", "1%")),
        (change_generator(off_plan_ratio=0.0101), ("1.01% of the planned iterations", "more than 0.1 s late", "at most 1%")),
        (change_generator(off_plan_ratio=0.010001), ("1.0001% of the planned iterations",)),
        (change_generator(steal_ratio=0.0501), ("the hypervisor stole 5.01% of the machine's CPU time", "at most 5%")),
        (change_generator(steal_ratio=0.050001), ("the hypervisor stole 5.0001% of",)),
        (change_generator(clock_jump_ns=3_600_000_000_000), ("clock was set during the load, by 3,600 s", "at most 0.05 s")),
        (change_generator(clock_jump_ns=50_001_000), ("clock was set during the load, by 0.050001 s", "at most 0.05 s")),
        (change_arm(RUN, monitor=()), ("monitor read nothing of optimized", "0 looks")),
        (change_arm(RUN, monitor=(build_look(0, pss_mib=None, cpu_s=None),)), ("monitor read nothing", "1 looks")),
        (replace(RUN, monitor=MonitorFacts(8, 1, 0.01, 0.004)), ("no look at the target in 1 of 9 seconds", "at most 10%")),
        (change_arm(RUN, monitor=(build_look(0, cpu_s=9), build_look(1, cpu_s=0.5))), ("restarted", "9.00 s to 0.50 s")),
        (change_arm(RUN, monitor=(build_look(0, hits=90), build_look(1, hits=3))), ("restarted", "from 90 to 3")),
        (
            change_arm(RUN, steps=(step_row(PLATEAU, rows=1, busy_s=100),)),
            ("optimized: Little's law does not hold in step 1", "20 users", "took 10 user-seconds", "at most 10%"),
        ),
        (change_arm(RUN, blocks=()), ("1 of 1 blocks are incomplete",)),
        (
            change_arm(build_comparison(12), blocks=build_comparison(9).arms[1].blocks),
            ("3 of 12 pairs of blocks are incomplete",),
        ),
    ],
)
def test_each_reason_is_one_sentence_with_the_figure_and_the_limit(record, parts):
    """One thing is wrong with each record, and exactly that is said."""
    (reason,) = find_invalidities(record)

    assert all(part in reason for part in parts), reason


def test_what_is_just_within_the_limits_is_valid():
    """Unrounded figures at their limits: nothing is wrong yet."""
    facts = {"arrivals_planned": 200, "arrivals_offered": 198, "off_plan_ratio": 0.01, "steal_ratio": 0.05}

    assert find_invalidities(change_generator(**facts, clock_jump_ns=50_000_000)) == ()


@pytest.mark.parametrize(
    ("service_p50_ms", "limit_ms"),
    [(None, 5.0), (100.0, 5.0), (50.0, 5.0), (30.0, 3.0), (20.0, 2.0), (1.0, 2.0), (0.01, 2.0)],
)
def test_lag_may_be_a_tenth_of_the_service_time_between_two_and_five_milliseconds(service_p50_ms, limit_ms):
    """Below 2 ms lag is the scheduler's, above 5 ms it is the generator's, in between it must stay a tenth."""
    service_p50_ns = None if service_p50_ms is None else service_p50_ms * MS

    assert lag_limit_ns(service_p50_ns) == pytest.approx(limit_ms * MS)


def test_the_restart_of_a_small_child_process_is_not_the_target_s():
    """A tree that loses a tenth of its CPU time lost a child; the target itself goes on."""
    looks = (build_look(0, cpu_s=10), build_look(1, cpu_s=9), build_look(2, cpu_s=11))

    assert find_invalidities(change_arm(RUN, monitor=looks)) == ()


def test_every_reason_of_a_broken_run_is_listed():
    """The first reason never hides the others."""
    record = change_arm(change_generator(cpu_ratio=0.99, users_reached_max=3), monitor=(), blocks=())

    assert len(find_invalidities(record)) == 4
