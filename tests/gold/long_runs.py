"""Runs of any length with the shape of a soak, for what has to hold however long a run was."""

import random
from dataclasses import replace

from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.record import RunKind
from jivsbench.model.scenario import Block
from tests.gold.sample_runs import (
    GATES,
    Sample,
    build_arm,
    build_checks,
    build_figures,
    build_phase_times,
    build_plan,
    build_record,
    build_servers,
    one_arm,
)

_BLOCK_S = 3


def long_run(duration_s: int) -> Sample:
    """One arm over so many seconds, with a row of every second of the load, the monitor and the servers."""
    rng = random.Random(3)
    blocks = tuple(Block(index, index, OPTIMIZED.name, 0.5) for index in range(duration_s // _BLOCK_S))
    plan = build_plan(RunKind.RUN, (OPTIMIZED,), blocks, GATES[2:5])
    arm = replace(build_arm(OPTIMIZED, rng, job_ms=210, jobs_per_s=20, blocks=blocks), phases=build_phase_times())
    looks = build_servers()
    servers = replace(looks, rows=tuple(replace(looks.rows[0], second=second) for second in range(duration_s)))
    record = replace(build_record(plan, (arm,), build_checks()), servers=servers)
    return replace(one_arm(), record=record, summary=replace(one_arm().summary, figures=build_figures(arm, build_checks())))
