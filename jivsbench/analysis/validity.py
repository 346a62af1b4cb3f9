"""Does a run say anything about its target? Each reason why not is one sentence with the figure and its limit."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

from jivsbench.analysis.consistency import check_consistency, find_contradictions
from jivsbench.analysis.readings import find_restart, has_readings
from jivsbench.model.formatting import format_beside, format_limit
from jivsbench.model.gate import Unit, WindowKind
from jivsbench.model.histogram import merge_histograms
from jivsbench.model.monitor_rows import MonitorFacts
from jivsbench.model.record import ArmRecord, GeneratorFacts, RunKind, RunRecord
from jivsbench.model.sample import OperationKind
from jivsbench.model.scenario import Arrival, Block
from jivsbench.model.summary import Verdict, VerdictOutcome

MAX_GENERATOR_CPU_RATIO: Final = 0.85
MAX_LAG_NS: Final = 5e6
MAX_LAG_OF_SERVICE: Final = 0.1
LAG_FLOOR_NS: Final = 2e6
MAX_USERS_OFF: Final = 0.01
MAX_OFF_PLAN_RATIO: Final = 0.01
MAX_STEAL_RATIO: Final = 0.05
MAX_LOOKS_MISSED_RATIO: Final = 0.1
MAX_CLOCK_JUMP_NS: Final = 50_000_000
"""Daemons that slew a clock move it by half a millisecond a second; what moves it by more than 50 ms at once has set it."""


def find_invalidities(record: RunRecord) -> tuple[str, ...]:
    """Every reason for which the run is invalid; empty when it is valid."""
    if not record.arms:
        return () if record.checks else ("the run measured nothing: it has no arm and no security check",)
    reasons = [reason for arm in record.arms for reason in _judge_arm(arm, record.generator)]
    reasons += find_generator_faults(record.generator, record.arms, is_aborted=bool(record.aborted))
    reasons += _judge_monitor(record.monitor)
    reasons += _judge_blocks(record)
    if not record.aborted:
        reasons += _judge_steadiness(record)
        reasons += _judge_concurrency(record)
    return tuple(reasons)


def lag_limit_ns(service_p50_ns: float | None) -> float:
    """How late the generator may send its calls (p99), given how fast the target answers them (p50).

    The rule is the smaller of 5 ms and a tenth of the service time, so that at most a tenth of what a user is said to
    wait is the generator's own doing. For a target that answers in 1 ms that would be 0.1 ms, less than the clock of a
    healthy generator on shared cores can keep: with timerfd pacing its lag p99 was measured at 0.5 ms for 2,000 calls a
    second and below 2 ms up to 5,000. So the limit never falls below 2 ms: under it, lag is the machine's scheduler and
    not a saturated generator. Lag is part of every response time, never taken out of it, so the floor cannot make a
    target look faster than it is; it can only make a fast one look up to 2 ms slower, in both arms alike.
    """
    if service_p50_ns is None:
        return MAX_LAG_NS
    return max(LAG_FLOOR_NS, min(MAX_LAG_NS, service_p50_ns * MAX_LAG_OF_SERVICE))


def _judge_arm(arm: ArmRecord, generator: GeneratorFacts | None) -> Iterator[str]:
    name, totals = arm.profile.name, arm.totals
    if generator is not None and not generator.times_jobs and not totals.created:
        if arm.call_count <= arm.call_errors:
            yield f"no request to {name} was answered without an error: {arm.call_count} were sent, at least 1 must be"
    elif not totals.completed:
        yield f"no job of {name} completed: {totals.created} were created, at least 1 must complete"
    ended = totals.completed + totals.failed + totals.timed_out + totals.cancelled
    if totals.created != ended:
        yield (
            f"jobs of {name} are not conserved: {totals.created} created, but {totals.completed} completed"
            f" + {totals.failed} failed + {totals.timed_out} timed out + {totals.cancelled} cancelled = {ended}"
        )
    if not has_readings(arm.monitor):
        yield f"the monitor read nothing of {name}: {len(arm.monitor)} looks, none of them gave memory or CPU, at least 1 must"
    restart = find_restart(arm.monitor)
    if restart is not None:
        yield f"the target of {name} was restarted during the load, 0 restarts are allowed: {restart}"


def _judge_monitor(facts: MonitorFacts | None) -> Iterator[str]:
    """The highest of a few looks is not the highest of the load."""
    if facts is not None and facts.looks_missed > (due := facts.looks + facts.looks_missed) * MAX_LOOKS_MISSED_RATIO:
        yield (
            f"the monitor took no look at the target in {facts.looks_missed} of {due} seconds,"
            f" at most {MAX_LOOKS_MISSED_RATIO:.0%} is allowed: what it used in them is unknown"
        )


def find_generator_faults(facts: GeneratorFacts | None, arms: Sequence[ArmRecord], *, is_aborted: bool = False) -> Iterator[str]:
    """Every reason for which a load was not the planned one, given how fast the arms under it answered."""
    if facts is None:
        yield "the load generator reported nothing of itself, so its saturation cannot be ruled out"
        return
    yield from _judge_cpu(facts)
    if late := find_lag_fault(facts, arms):
        yield late
    yield from _judge_offer(facts, is_aborted=is_aborted)


def find_faults_but_lag(facts: GeneratorFacts) -> Iterator[str]:
    """The same of a load that ran to its end, for whoever asks `find_lag_fault` too and can tell what a lag has done."""
    yield from _judge_cpu(facts)
    yield from _judge_offer(facts)


def _judge_cpu(facts: GeneratorFacts) -> Iterator[str]:
    if facts.cpu_ratio is None:
        yield f"the load generator's CPU is unknown, at most {MAX_GENERATOR_CPU_RATIO:.0%} of its core is allowed"
    elif facts.cpu_ratio > MAX_GENERATOR_CPU_RATIO:
        used, most = _percents(facts.cpu_ratio, MAX_GENERATOR_CPU_RATIO)
        yield f"the load generator used {used} of its core, at most {most} is allowed"
    elif facts.cpu_highest_ratio is not None and facts.cpu_highest_ratio > MAX_GENERATOR_CPU_RATIO:
        # Saturated at the peak alone is saturated where the answers are.
        used, most = _percents(facts.cpu_highest_ratio, MAX_GENERATOR_CPU_RATIO)
        yield f"the load generator used {used} of its core in its busiest 10 s, at most {most} is allowed"


def _judge_offer(facts: GeneratorFacts, *, is_aborted: bool = False) -> Iterator[str]:
    planned, reached = facts.users_planned_max, facts.users_reached_max
    # A load that a gate ended never came to its highest point; that is said elsewhere, and fails the run.
    if not is_aborted:
        if abs(reached - planned) > planned * MAX_USERS_OFF:
            yield f"{reached} users were reached of {planned} planned, at most {MAX_USERS_OFF:.0%} off is allowed"
        yield from _judge_arrivals(facts)
    yield from _judge_machine(facts)


def has_valid_figures(record: RunRecord, verdict: Verdict) -> bool:
    """False when the figures say nothing. A gate or a comparison that needs a longer run makes the verdict INVALID, not them."""
    return verdict.outcome is not VerdictOutcome.INVALID or (bool(record.arms) and not record.invalid)


def foresee_steal(steal_ratio: float | None, elapsed_s: float, total_s: float) -> str | None:
    """Why a load that is not over can no longer be valid, however quiet its machine will be; None while it can."""
    if steal_ratio is None or steal_ratio * elapsed_s <= MAX_STEAL_RATIO * total_s:
        return None
    return (
        f"the hypervisor stole {steal_ratio:.2%} of the machine's CPU time so far, more than {MAX_STEAL_RATIO:.0%} of what the "
        "whole load takes: the run will be INVALID"
    )


def find_lag_fault(facts: GeneratorFacts, arms: Sequence[ArmRecord]) -> str | None:
    """Why the generator's calls do not count as sent in time: too late, or nobody knows. None: they do."""
    medians = [median for median in map(_service_p50_ns, arms) if median is not None]
    # One generator drives all arms: the fastest of them sets the limit.
    limit_ns = lag_limit_ns(min(medians, default=None))
    if facts.lag_p99_ns is None:
        return f"the load generator's lag is unknown, its p99 may be at most {_milliseconds(0.0, limit_ns)[1]}"
    if facts.lag_p99_ns <= limit_ns:
        return None
    late, most = _milliseconds(facts.lag_p99_ns, limit_ns)
    return f"the load generator's lag p99 was {late}, at most {most} is allowed"


def _percents(ratio: float, limit_ratio: float) -> tuple[str, str]:
    """What was found, with the digits that tell it from its limit, and the limit."""
    limit = round(limit_ratio * 100, 6)
    texts = format_beside(ratio * 100, limit, Unit.PERCENT), format_limit(limit, Unit.PERCENT)
    return texts[0].replace(" %", "%"), texts[1].replace(" %", "%")


def _milliseconds(found_ns: float, limit_ns: float) -> tuple[str, str]:
    # A limit that follows from the target's own times has many digits: cut, for what lies above it lies above what is shown.
    limit = math.floor(limit_ns / 1e3) / 1e3
    return format_beside(found_ns / 1e6, limit, Unit.MILLISECONDS), format_limit(limit, Unit.MILLISECONDS)


def _judge_arrivals(facts: GeneratorFacts) -> Iterator[str]:
    planned, offered = facts.arrivals_planned, facts.arrivals_offered
    if planned is not None and offered is not None and abs(offered - planned) > planned * MAX_OFF_PLAN_RATIO:
        yield f"{offered} iterations were offered of {planned} planned, at most {MAX_OFF_PLAN_RATIO:.0%} off is allowed"
    if facts.off_plan_ratio is not None and facts.off_plan_ratio > MAX_OFF_PLAN_RATIO:
        late, most = _percents(facts.off_plan_ratio, MAX_OFF_PLAN_RATIO)
        yield f"{late} of the planned iterations were offered more than 0.1 s late, at most {most} off the plan is allowed"


def _judge_machine(facts: GeneratorFacts) -> Iterator[str]:
    if facts.steal_ratio is not None and facts.steal_ratio > MAX_STEAL_RATIO:
        stolen, most = _percents(facts.steal_ratio, MAX_STEAL_RATIO)
        yield f"the hypervisor stole {stolen} of the machine's CPU time, at most {most} is allowed"
    if facts.clock_jump_ns is not None and facts.clock_jump_ns > MAX_CLOCK_JUMP_NS:
        moved = format_beside(facts.clock_jump_ns / 1e9, MAX_CLOCK_JUMP_NS / 1e9, Unit.SECONDS)
        most = format_limit(MAX_CLOCK_JUMP_NS / 1e9, Unit.SECONDS)
        yield f"the machine's clock was set during the load, by {moved}: at most {most} is allowed"


def _service_p50_ns(arm: ArmRecord) -> float | None:
    return merge_histograms(part.service for part in arm.operations if part.kind is OperationKind.CALL).percentile_ns(50)


def _judge_steadiness(record: RunRecord) -> Iterator[str]:
    if all(gate.window.kind is not WindowKind.STEADY for gate in record.plan.scenario.gates):
        return
    for arm in record.arms:
        if arm.steady is not None and arm.steady.start_s is None:
            yield f"{arm.profile.name} has no steady window, and a gate judges it: {arm.steady.method}"


def _judge_concurrency(record: RunRecord) -> Iterator[str]:
    """Users that were not at work as planned are another load, whatever each of them measured."""
    scenario = record.plan.scenario
    is_closed = scenario.arrival is Arrival.USERS
    for arm in record.arms:
        found = check_consistency(arm.totals, arm.steps, scenario.workload.think_time_s, is_closed_loop=is_closed)
        yield from (f"{arm.profile.name}: {reason}" for reason in find_contradictions(found.checked))


def _due_blocks(record: RunRecord) -> Iterator[Block]:
    """The planned blocks that count: no warm-up, and none after a look at which no further pair was played."""
    played = {block.pair for arm in record.arms for block in arm.blocks}
    ends_early = record.plan.rule is not None and len(played) in record.plan.rule.looks
    for block in record.plan.blocks:
        if not block.is_warm_up and (not ends_early or block.pair < len(played)):
            yield block


def _judge_blocks(record: RunRecord) -> Iterator[str]:
    done = {(block.pair, block.arm) for arm in record.arms for block in arm.blocks if block.end_ns > block.measured_ns}
    planned = {(block.pair, block.arm) for block in _due_blocks(record)}
    broken = {pair for pair, _arm in planned - done}
    if not broken:
        return
    pairs = len({pair for pair, _arm in planned})
    unit = "pairs of blocks" if record.plan.kind is RunKind.COMPARISON else "blocks"
    yield f"{len(broken)} of {pairs} {unit} are incomplete, 0 are allowed: the load ended early or a block had no measured time"
