"""`compare`: two live targets in alternating blocks, judged by a rule that is fixed before the first request."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Final

from jivsbench.analysis.alpha_spending import nominal_levels
from jivsbench.analysis.effects import CONFIDENCE
from jivsbench.analysis.signed_rank import least_pairs
from jivsbench.app.checks import Security
from jivsbench.app.conclusion import Outcome
from jivsbench.app.environments import ask_environment, find_python
from jivsbench.app.plans import draw_seed, plan_comparison, share_out
from jivsbench.app.progress import Listener, Note
from jivsbench.app.run import carry_out
from jivsbench.app.scenarios import DEMO_ROWS, prepare
from jivsbench.app.servers import Workbench, open_servers
from jivsbench.app.targets import SAME, Stack
from jivsbench.config import Settings, find_profile, scenario_folders
from jivsbench.config.gate_files import load_gates
from jivsbench.dataset import TABLE
from jivsbench.errors import GateError, UnknownNameError, UsageError
from jivsbench.extract.guards import require_guard_names, require_guards
from jivsbench.model.comparison import LEAST_ALPHA, ComparisonRule, Criterion
from jivsbench.model.gate import WHOLE, Gate
from jivsbench.model.gate_text import check_gate, check_question, format_gate
from jivsbench.model.metrics import CATALOGUE, OPERATION_METRIC, Metric, find_metric
from jivsbench.model.profile import Profile
from jivsbench.model.record import SAME_NAME_A, SAME_NAME_B, Environment
from jivsbench.model.scenario import Scenario, Stage, WorkloadSpec
from jivsbench.plugins import Registry, find_wanted

WORKLOAD: Final = "extraction"
DEFAULT_CRITERION: Final = "job.response mean"
_LEAST_UNITS: Final = least_pairs(CONFIDENCE)
# Fewer show nothing at the level that is left to an early look.
_FIRST_LOOK: Final = 8


@dataclass(frozen=True, slots=True)
class ArmChoice:
    """One of the two targets: its profile, and the environment or plugins that only this one has."""

    profile: str
    environment: Path | None = None
    plugins: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Load:
    """What is offered to each target in a block, and how long."""

    users: int = 1
    rows: int = 1_000
    """Rows of one extraction."""
    block_s: float = 0.25
    washout_s: float = 0.0
    """Jobs that end this soon after a switch do not count. Nothing is in flight at a switch, so by default all count."""
    warm_up_s: float = 0.5
    """Load for each target before the first pair of its process."""
    pairs: int = 120
    processes: int = 10
    """Processes of each target, one after the other: what the code does on average, not what one process happens to do."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How the blocks are judged."""

    criteria: tuple[str, ...] = (DEFAULT_CRITERION,)
    """Without any, nothing but gates judges it."""
    margin_ratio: float = 0.05
    alpha_ratio: float = 0.05
    looks: int = 4


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """What the user chose for one comparison."""

    arms: tuple[ArmChoice, ArmChoice]
    load: Load = Load()
    judging: Judging = Judging()
    seed: int | None = None
    data_rows: int = DEMO_ROWS
    gates: str | None = None
    """A scenario or a gate file, by whose gates it is judged as well. Then all pairs are played."""


@dataclass(frozen=True, slots=True)
class Arms:
    """The two targets, checked: profiles whose names tell them apart, and what each is made of."""

    profiles: tuple[Profile, Profile]
    stacks: tuple[Stack, Stack]


def compare_live(settings: Settings, registry: Registry, options: ComparisonOptions, listener: Listener) -> Outcome:
    """Compare two live targets. Everything the user wrote is checked before a server starts."""
    gates = load_comparison_gates(options.gates, registry) if options.gates else ()
    # A gate asks for an interval that knows of no looks: it holds only where nothing but the plan ends the load.
    judging = replace(options.judging, looks=1) if gates else options.judging
    # Whoever asks for gates alone asks for intervals as well.
    require_units(options.load)
    rule = build_rule(judging, options.load) if judging.criteria else None
    arms = choose_arms(settings, registry, options.arms)
    seed = draw_seed(options.seed)
    if options.arms[0] == options.arms[1]:
        listener(Note("both targets are the same: whatever differs is noise (--profiles, --b-env or --b-plugin make another)"))
    with open_servers(settings, registry, listener) as servers:
        bench = Workbench(settings, registry, servers, listener)
        environment, table_rows = prepare(bench, str(TABLE), options.data_rows)
        listener(Note(f"the order within each pair is drawn from the seed {seed}: --seed {seed} draws the same one again"))
        return play_comparison(Ground(bench, environment, table_rows), arms, options.load, rule, seed, gates)


def load_comparison_gates(name: str, registry: Registry) -> tuple[Gate, ...]:
    """The gates of a scenario or gate file. Raises GateError for what a comparison of live targets does not measure."""
    gates = load_gates(name, scenario_folders())
    operations = registry.workload(WORKLOAD).operations
    for gate in gates:
        check_gate(gate, operations, is_comparison=True)
        check_question(gate, ())
        metric = find_metric(gate.metric)
        if gate.window != WHOLE:
            raise GateError(
                f"gate {format_gate(gate)!r}: the blocks of a comparison have no windows: leave out {str(gate.window)!r}"
            )
        if gate.metric.startswith("findings.") or (metric is not None and metric.input_option):
            raise GateError(
                f"gate {format_gate(gate)!r}: comparing neither attacks a target nor reads files: keep it in another gate file, "
                "and judge the run by that with 'jivsbench gate'"
            )
    return gates


@dataclass(frozen=True, slots=True)
class Ground:
    """Servers that are up, with their data."""

    bench: Workbench
    environment: Environment
    table_rows: int


def play_comparison(  # noqa: PLR0917 - six different types
    ground: Ground, arms: Arms, load: Load, rule: ComparisonRule | None, seed: int, gates: tuple[Gate, ...] = ()
) -> Outcome:
    """One comparison on servers that are up, with targets of its own. Without a rule all pairs are played, whatever they say."""
    plan = plan_comparison(
        replace(build_scenario(load), gates=gates),
        *arms.profiles,
        ground.bench.servers,
        ground.table_rows,
        pairs=load.pairs,
        washout_s=load.washout_s,
        seed=seed,
        warm_up_pairs=math.ceil(load.warm_up_s / load.block_s),
        processes=load.processes,
        rule=rule,
    )
    return carry_out(ground.bench, plan, ground.environment, Security(), arms.stacks)


def build_scenario(load: Load) -> Scenario:
    """The load of one block as a scenario of its own."""
    users = "one user extracts" if load.users == 1 else f"{load.users} users extract"
    return Scenario(
        name="compare",
        title=f"{users} {load.rows:,} rows each, in alternating blocks of {load.block_s:g} s",
        workload=WorkloadSpec(name=WORKLOAD, table=str(TABLE), rows=load.rows),
        stages=(Stage(0.0, load.users, is_step=True), Stage(load.block_s, load.users)),
        gates=(),
    )


def build_rule(judging: Judging, load: Load) -> ComparisonRule:
    """The rule, with its looks spread evenly over the load. Raises UsageError for what cannot be judged."""
    require_units(load)
    ends = _list_ends(load)
    looks = tuple(ends[units - 1] for units in _spread_looks(len(ends), judging.looks))
    criteria = tuple(dict.fromkeys(parse_criterion(text) for text in judging.criteria))
    if judging.alpha_ratio >= 1:
        raise UsageError(f"an alpha of {judging.alpha_ratio:.0%} calls everything different: choose one below 100%, such as '5%'")
    own_alpha = judging.alpha_ratio / len(criteria)
    level = nominal_levels(own_alpha, looks)[-1] if own_alpha >= LEAST_ALPHA else 0.0
    if not level:
        raise UsageError(f"an alpha of {judging.alpha_ratio:.3g} can show nothing: choose a larger one, such as '5%'")
    if len(ends) < (needed := least_pairs(1 - level)):
        found, more = (f"{load.pairs} pairs", "play") if load.processes == 1 else (f"{load.processes} processes", "let there be")
        raise UsageError(f"{found} cannot show anything at this alpha and so many criteria: {more} at least {needed}")
    return ComparisonRule(criteria, judging.margin_ratio, judging.alpha_ratio, looks)


def _spread_looks(units: int, looks: int) -> tuple[int, ...]:
    """Evenly from the first one that can show something to the last, which comes after everything.

    >>> _spread_looks(120, 4), _spread_looks(10, 4)
    ((30, 60, 90, 120), (8, 9, 10))
    """
    first = min(max(units / looks, _FIRST_LOOK), units)
    step = (units - first) / max(looks - 1, 1)
    return tuple(sorted({round(units - step * number) for number in range(looks)}))


def _list_ends(load: Load) -> tuple[int, ...]:
    """After how many pairs each of what an interval counts has been played: each process, or each pair of one process."""
    return tuple(accumulate(share_out(load.pairs, load.pairs if load.processes == 1 else load.processes)))


def require_units(load: Load) -> None:
    """Raises UsageError when there are too few pairs or processes for an interval."""
    pairs, processes = load.pairs, load.processes
    if pairs < max(processes, _LEAST_UNITS):
        need = f"{processes} processes want a pair each" if processes > 1 else "they cannot show 95 % confidence"
        raise UsageError(f"{pairs} pairs: {need}, so play at least {max(processes, _LEAST_UNITS)} (--pairs) or raise the budget")
    require_processes(processes)


def require_processes(processes: int) -> None:
    """Raises UsageError when so many processes of each target show nothing: more than one, and too few for an interval."""
    if 1 < processes < _LEAST_UNITS:
        raise UsageError(
            f"{processes} processes cannot show 95 % confidence: let there be at least {_LEAST_UNITS} (--processes), or one, "
            "whose verdict holds for these two processes alone"
        )


def parse_criterion(text: str, *, of_blocks: bool = True) -> Criterion:
    """`job.response mean` and the like. Raises UnknownNameError for what blocks (or, if not `of_blocks`, runs) do not have."""
    name, _, statistic = " ".join(text.split()).partition(" ")
    metric = find_metric(name)
    if metric is not None and metric is not OPERATION_METRIC and statistic in _list_statistics(metric, of_blocks=of_blocks):
        return Criterion(name, statistic)
    known = [f"{one.name} {statistic}" for one in CATALOGUE for statistic in _list_statistics(one, of_blocks=of_blocks)]
    raise UnknownNameError.among("criterion of a comparison" if of_blocks else "figure of a run", text, known)


def _list_statistics(metric: Metric, *, of_blocks: bool) -> tuple[str, ...]:
    return metric.paired if of_blocks else metric.statistics


def choose_arms(settings: Settings, registry: Registry, choices: Sequence[ArmChoice]) -> Arms:
    """Both targets, checked: their profiles exist, their environments answer, their guards are loaded."""
    baseline, candidate = (_choose(settings, registry, choice) for choice in choices)
    profiles = (baseline[0], candidate[0])
    if baseline[0].name == candidate[0].name:
        profiles = (
            replace(baseline[0], name=f"{baseline[0].name}{SAME_NAME_A}"),
            replace(candidate[0], name=f"{candidate[0].name}{SAME_NAME_B}"),
        )
    return Arms(profiles, (baseline[1], candidate[1]))


def _choose(settings: Settings, registry: Registry, choice: ArmChoice) -> tuple[Profile, Stack]:
    profile = find_profile(settings, choice.profile)
    plugins, disabled = choice.plugins, choice.disabled_plugins
    named, without = (*settings.plugins, *plugins), (*settings.disabled_plugins, *disabled)
    if choice.environment is not None:
        python = find_python(choice.environment)
        return profile, Stack(python, ask_environment(python, named, without, settings.plugins_lock), plugins, disabled)
    if not (plugins or disabled):
        require_guards(profile, registry.guards)
        return profile, SAME
    # A misspelled name is said as such; it imports nothing.
    find_wanted(extra_modules=named, disabled=without)
    runtime = ask_environment(None, named, without, settings.plugins_lock)
    require_guard_names(profile, runtime.guards)
    return profile, Stack(None, runtime, plugins, disabled)
