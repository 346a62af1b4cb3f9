"""What stands behind the figures: plan, profiles, machine, where each figure comes from, and what nobody measured."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Final

from jivsbench.analysis.readings import count_looks, count_lost_looks
from jivsbench.analysis.standards import list_not_run
from jivsbench.analysis.validity import MAX_GENERATOR_CPU_RATIO
from jivsbench.config.controls import load_catalogue
from jivsbench.model.finding import CheckOutcome
from jivsbench.model.formatting import (
    NOT_MEASURED,
    format_beside,
    format_count,
    format_duration,
    format_limit,
    format_mebibytes,
    format_milliseconds,
    format_quantity,
)
from jivsbench.model.gate import GateOutcome, Unit
from jivsbench.model.metrics import Direction
from jivsbench.model.profile import Profile
from jivsbench.model.record import ArmRuntime, Environment, GeneratorFacts, RunKind, RunRecord
from jivsbench.model.scenario import Arrival, Gaps, Scenario, Stage
from jivsbench.model.summary import Summary, Verdict
from jivsbench.report.views.comparison_command import build_comparison_command, format_argument, list_data_arguments
from jivsbench.report.views.key_figures import format_figure, is_thin
from jivsbench.report.views.workload_facts import describe_think_time, describe_workload, list_further_sources


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting over all profiles; `differs` when they do not agree."""

    name: str
    values: tuple[str, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class ProvenanceLine:
    """One figure with its source."""

    arm: str
    metric: str
    statistic: str
    value: str
    samples: str
    provenance: str
    method: str


@dataclass(frozen=True, slots=True)
class PluginLine:
    """One plugin that was loaded."""

    name: str
    version: str
    origin: str
    offers: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The lower half of the page."""

    validity: tuple[Fact, ...]
    invalid: tuple[str, ...]
    plan: tuple[Fact, ...]
    profiles: tuple[str, ...]
    settings: tuple[SettingLine, ...]
    environment: tuple[Fact, ...]
    plugins: tuple[PluginLine, ...]
    provenance: tuple[ProvenanceLine, ...]
    missing: tuple[Fact, ...]
    command: str
    made_by: str


def build_facts(record: RunRecord, summary: Summary, verdict: Verdict) -> Facts:
    """Everything that a reader needs to trust the figures, or not."""
    return Facts(
        validity=describe_generator(record.generator),
        invalid=record.invalid,
        plan=_describe_plan(record),
        profiles=tuple(profile.name for profile in record.plan.profiles),
        settings=compare_profiles(record),
        environment=_describe_environment(record),
        plugins=tuple(PluginLine(p.name, p.version, p.origin, ", ".join(p.offers)) for p in record.environment.plugins),
        provenance=tuple(
            ProvenanceLine(
                f.arm,
                f.metric,
                f"{f.statistic} {f.window}".strip(),
                format_figure(f),
                format_count(f.samples),
                f.provenance.value,
                f.method,
            )
            for f in summary.figures
        ),
        missing=list_missing(record, summary, verdict),
        command=build_command(record),
        made_by=f"jivsbench {record.environment.jivsbench_version}",
    )


def describe_generator(generator: GeneratorFacts | None) -> tuple[Fact, ...]:
    """What the load generator says of itself."""
    if generator is None:
        return (Fact("Load generator", NOT_MEASURED),)
    lag = format_milliseconds(generator.lag_p99_ns)
    steal = None if generator.steal_ratio is None else generator.steal_ratio * 100
    growth = None if generator.rss_growth_bytes is None else generator.rss_growth_bytes / 2**20
    return (
        Fact("CPU of the generator", _describe_cpu(generator.cpu_ratio)),
        *_describe_busiest(generator),
        Fact("Lag of its sends, p99", lag if lag == NOT_MEASURED else f"{lag} ms"),
        Fact("Pacing", generator.pacing or NOT_MEASURED),
        *_describe_offer(generator),
        Fact("Operations", format_count(generator.operations)),
        Fact("Wall time", format_duration(round(generator.wall_s, 2))),
        Fact("Stolen CPU time", format_quantity(steal, Unit.PERCENT, Direction.LOWER)),
        Fact("Growth of its memory", format_quantity(growth, Unit.MEBIBYTES, Direction.LOWER)),
    )


def _describe_busiest(generator: GeneratorFacts) -> tuple[Fact, ...]:
    """Nothing for a file of a version that did not look."""
    if generator.cpu_highest_ratio is None:
        return ()
    return (Fact("CPU of the generator in its busiest 10 s", _describe_cpu(generator.cpu_highest_ratio)),)


def _describe_cpu(ratio: float | None) -> str:
    if ratio is None:
        return NOT_MEASURED
    limit = MAX_GENERATOR_CPU_RATIO * 100
    found = format_beside(ratio * 100, limit, Unit.PERCENT, Direction.LOWER)
    return f"{found} of one core (limit {format_limit(limit, Unit.PERCENT)})"


def _describe_offer(generator: GeneratorFacts) -> tuple[Fact, ...]:
    """Users of a closed loop, arrivals of an open one."""
    if generator.arrivals_planned is None:
        reached, planned = format_count(generator.users_reached_max), format_count(generator.users_planned_max)
        return (Fact("Users", f"{reached} reached of {planned} planned"),)
    offered, not_sent = generator.arrivals_offered or 0, generator.arrivals_not_sent or 0
    return (
        Fact("Arrivals", f"{format_count(offered)} offered of {format_count(generator.arrivals_planned)} planned"),
        Fact("Arrivals not sent", format_count(not_sent)),
        Fact("Iterations under way at once, at most", format_count(generator.in_flight_max or 0)),
        Fact("Iterations waiting at once, at most", format_count(generator.queued_max or 0)),
    )


def compare_profiles(record: RunRecord) -> tuple[SettingLine, ...]:
    """Guards in force, switches and sizes of all profiles."""
    profiles = record.plan.profiles
    in_force = {arm.profile.name: arm.guards for arm in record.arms}
    lines = [("guards in force", tuple(_name_guards(in_force.get(profile.name)) for profile in profiles))]
    lines += (
        [
            (field.name, tuple(_show(getattr(profile.switches, field.name)) for profile in profiles))
            for field in fields(profiles[0].switches)
        ]
        if profiles
        else []
    )
    for label, pick in _SIZES:
        lines.append((label, tuple(pick(profile) for profile in profiles)))
    return tuple(SettingLine(name, values, differs=len(set(values)) > 1) for name, values in lines)


def list_missing(record: RunRecord, summary: Summary, verdict: Verdict) -> tuple[Fact, ...]:
    """Everything that a reader could expect here and that nobody measured, with the reason.

    First what was asked for, then what could be dangerous: the top of the page has room for the first few.
    """
    missing = [Fact(f"gate {r.text}", r.reason) for r in verdict.gates if r.outcome is GateOutcome.NO_DATA]
    missing += _list_unproven(record)
    if not record.arms:
        missing.append(Fact("the load", "the run ended before any of it was recorded"))
    if record.generator is None:
        missing.append(Fact("the load generator", "it reported nothing of itself"))
    missing += [Fact(f"{f.metric} {f.statistic}, {f.arm}", f.method) for f in summary.figures if f.value is None]
    missing += [
        Fact(f"{f.metric} {f.statistic}, {f.arm}", f"only {f.samples} samples")
        for f in summary.figures
        if is_thin(f) and f.value is not None
    ]
    if record.plan.kind is RunKind.COMPARISON:
        missing += [Fact(f"interval of {e.metric} {e.statistic}", e.method) for e in summary.effects if e.ratio_low is None]
    missing += [
        Fact(f"monitor, {arm.profile.name}", _count_gaps(lost, count_looks(arm.monitor)))
        for arm in record.arms
        if (lost := count_lost_looks(arm.monitor))
    ]
    missing += _list_checks(record, CheckOutcome.NOT_APPLICABLE)
    return tuple(missing)


def _list_unproven(record: RunRecord) -> Iterator[Fact]:
    """What may be a hole for all that anybody knows."""
    if not record.checks:
        yield Fact("security", "no security check ran: this report says nothing about it")
        return
    not_run = list_not_run(load_catalogue(), record.checks)
    if not_run:
        yield Fact("security checks that were not run", ", ".join(check.check_id for check in not_run))
    yield from _list_checks(record, CheckOutcome.NOT_TESTED, CheckOutcome.INVALID)


def _list_checks(record: RunRecord, *outcomes: CheckOutcome) -> Iterator[Fact]:
    """By their ids: a check's title says what a pass would mean."""
    for check in record.checks:
        if check.outcome in outcomes:
            yield Fact(f"check {check.check_id}", f"{check.outcome.value.replace('_', ' ')} ({check.title}): {check.reason}")


def build_command(record: RunRecord) -> str:
    """The command that carries out the same plan again; names that others chose are quoted for the shell."""
    plan = record.plan
    if plan.kind is RunKind.COMPARISON and plan.scenario.name != _DEMO:
        return build_comparison_command(record)
    if plan.kind is RunKind.COMPARISON:
        pairs = str(len({block.pair for block in plan.blocks}))
        words = ["jivsbench", "demo", "--pairs", pairs, "--block", format_argument(plan.scenario.duration_s)]
    else:
        words = ["jivsbench", "run", plan.scenario.name, "--profile", plan.candidate]
        words += ["--time-scale", format_argument(plan.time_scale)] if plan.time_scale != 1 else []
        words += ["--check"] if any(check.attempted for check in record.checks) else []
        words += list_data_arguments(plan)
        workers = record.generator.workers if record.generator else 1
        words += ["--expect-workers", str(workers)] if workers > 1 else []
    return shlex.join([*words, "--seed", str(plan.seed)])


def describe_stages(stages: tuple[Stage, ...], arrival: Arrival = Arrival.USERS) -> str:
    """The planned load in words.

    >>> describe_stages((Stage(60, 5), Stage(30, 20, is_step=True)))
    '1 min to 5 users, then a step to 20 users for 30 s'
    >>> describe_stages((Stage(60, rate_per_s=2.5),), Arrival.RATE)
    '1 min to 2.5 iterations/s'
    """
    is_open = arrival is Arrival.RATE
    loads = [f"{stage.rate_per_s:g} iterations/s" if is_open else f"{stage.users} users" for stage in stages]
    return ", then ".join(
        f"a step to {load} for {format_duration(stage.duration_s)}"
        if stage.is_step
        else f"{format_duration(stage.duration_s)} to {load}"
        for stage, load in zip(stages, loads, strict=True)
    )


def describe_loop(scenario: Scenario) -> str:
    """What makes an iteration begin, in words. A figure of a closed loop is only to be compared with another one's."""
    if scenario.arrival is Arrival.USERS:
        return "closed: a user begins again when its iteration has ended"
    gaps = "evenly spaced" if scenario.gaps is Gaps.EVEN else "a seeded Poisson process"
    return f"open: iterations begin by the clock, {gaps}, whether or not others have ended"


_DEMO: Final = "demo"
_SIZES: Final[tuple[tuple[str, Callable[[Profile], str]], ...]] = (
    ("batch rows", lambda profile: format_count(profile.batch_rows)),
    ("job workers", lambda profile: format_count(profile.job_workers)),
    ("queue limit", lambda profile: format_count(profile.queue_limit)),
    ("source pool, at most", lambda profile: f"{profile.pool.max_size} connections, {profile.pool.borrow_timeout_s:g} s wait"),
    ("query timeout", lambda profile: format_duration(profile.query_timeout_s)),
    ("job timeout", lambda profile: format_duration(profile.job_timeout_s)),
)


def _describe_plan(record: RunRecord) -> tuple[Fact, ...]:
    plan = record.plan
    workload = plan.scenario.workload
    facts = [
        Fact("Scenario", f"{plan.scenario.name}: {plan.scenario.title}"),
        Fact("Workload", describe_workload(workload)),
        Fact("Think time", describe_think_time(workload)),
        Fact("Loop", describe_loop(plan.scenario)),
        Fact("Load in each block", describe_stages(plan.scenario.stages, plan.scenario.arrival)),
        Fact("Blocks", _describe_blocks(record)),
        Fact("Source", f"{plan.source_label}, {format_count(plan.table_rows)} rows"),
        *(Fact(name, text) for name, text in list_further_sources(plan)),
        Fact("Cache", plan.cache_label or "none"),
        Fact("Durations", "as the scenario says" if plan.time_scale == 1 else f"{plan.time_scale:g} of the scenario's own"),
        Fact("Seed", str(plan.seed)),
    ]
    return tuple(facts)


def _describe_blocks(record: RunRecord) -> str:
    blocks = record.plan.blocks
    if record.plan.kind is RunKind.RUN:
        return f"{len(blocks)}, one after the other"
    pairs = len({block.pair for block in blocks if not block.is_warm_up})
    washout = f"{blocks[0].washout_s:g} s" if blocks else "no"
    text = f"{pairs} pairs, order within each pair by the seed, {washout} washout after each switch"
    warm_up = sum(block.is_warm_up for block in blocks)
    looks = record.plan.rule.looks if record.plan.rule else ()
    text += f", {warm_up} more blocks as warm-up" if warm_up else ""
    text += f", {record.plan.processes} processes of each, one after the other" if record.plan.processes > 1 else ""
    return text + (f", looks after {', '.join(str(look) for look in looks)} pairs" if looks else "")


def _describe_environment(record: RunRecord) -> tuple[Fact, ...]:
    machine = record.environment
    return (
        Fact("Processor", f"{machine.cpu_model}, {machine.cpu_count} cores"),
        Fact("Memory", format_mebibytes(machine.memory_bytes)),
        Fact("Load average before the run", f"{machine.load_average_1m:.2f}"),
        Fact("System", machine.platform),
        Fact("Python", machine.python_version),
        Fact("jivsbench", machine.jivsbench_version),
        Fact("Source server", machine.source_server or NOT_MEASURED),
        Fact("Cache server", machine.cache_server or NOT_MEASURED),
        Fact("Commit", machine.git_commit or "not under git"),
        *(Fact(f"Target {arm.profile.name}", _describe_runtime(arm.runtime, machine)) for arm in record.arms if arm.runtime),
    )


def _describe_runtime(runtime: ArmRuntime, machine: Environment) -> str:
    known = {(plugin.name, plugin.version) for plugin in machine.plugins}
    own = {(plugin.name, plugin.version) for plugin in runtime.plugins}
    only = ", ".join(f"{name} {version}".strip() for name, version in sorted(own - known)) or "none of its own"
    lacks = ", ".join(name for name, _ in sorted(known - own)) or "none"
    where = "an environment of its own" if runtime.is_own_environment else "the same environment"
    return (
        f"{where}: jivsbench {runtime.jivsbench_version}, Python {runtime.python_version}; plugins that only it has: {only}; "
        f"plugins that it lacks: {lacks}"
    )


def _name_guards(guards: tuple[str, ...] | None) -> str:
    if guards is None:
        return NOT_MEASURED
    return ", ".join(guards) or "none"


def _show(value: bool | int) -> str:  # noqa: FBT001 - it shows a switch
    if value is True or value is False:
        return "on" if value else "off"
    return str(value)


def _count_gaps(lost: int, readings: int) -> str:
    return f"{lost} of {readings} readings failed; the charts have gaps there"
