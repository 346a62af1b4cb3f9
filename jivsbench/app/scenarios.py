"""`run` and `demo`: a scenario against one profile, and two profiles against each other."""

from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Final

from jivsbench.app.checks import Security, choose_checks
from jivsbench.app.conclusion import Outcome
from jivsbench.app.data import count_rows, load_dataset, test_source
from jivsbench.app.environment import read_environment
from jivsbench.app.plans import DEFAULT_SEED, plan_comparison, plan_run
from jivsbench.app.progress import Listener, Note, Step
from jivsbench.app.run import carry_out
from jivsbench.app.servers import Workbench, open_servers
from jivsbench.config import Settings, find_profile, load_quality_gate, load_scenario, scale_scenario, scenario_folders
from jivsbench.config.gate_files import load_suppressions
from jivsbench.dataset import TABLE, Dataset
from jivsbench.errors import UsageError
from jivsbench.extract.guards import require_guards
from jivsbench.load.shape import users_planned_max
from jivsbench.load.spec import LoadSetup
from jivsbench.model.arrivals import arrival_times_ns
from jivsbench.model.record import Environment
from jivsbench.model.scenario import Arrival, Scenario, Stage, WorkloadSpec
from jivsbench.model.table import parse_table_name
from jivsbench.plugins import Registry

DEMO_ROWS: Final = 100_000
DEMO_USERS: Final = 10
DEMO_EXTRACTION_ROWS: Final = 5_000
DEMO_CHECKS: Final = ("SEC-001", "SEC-003")
"""What a first look has time for. The report names all that were not run."""
_WASHOUT_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the user chose for one run."""

    scenario: str
    profile: str
    time_scale: float = 1.0
    seed: int = DEFAULT_SEED
    with_checks: bool = False
    data_rows: int = DEMO_ROWS
    """Rows of the test table that an embedded source is filled with."""
    setup: LoadSetup = field(default_factory=LoadSetup)
    suppressions: Path | None = None
    """A file of findings that somebody answers for."""
    advisories: tuple[Path, ...] = ()
    """Files of advisories that the user brought."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How long and how finely the demo compares."""

    pairs: int = 6
    block_s: float = 8.0
    data_rows: int = DEMO_ROWS
    seed: int = DEFAULT_SEED


def run_scenario(settings: Settings, registry: Registry, options: RunOptions, listener: Listener) -> Outcome:
    """Run a scenario against one profile. Everything the user wrote is checked before a server starts."""
    scaled = find_scaled(registry, options)
    profile = find_profile(settings, options.profile)
    require_guards(profile, registry.guards)
    checks = choose_checks(registry) if options.with_checks else ()
    suppressions = load_suppressions(options.suppressions) if options.suppressions else ()
    with open_servers(settings, registry, listener) as servers:
        bench = Workbench(settings, registry, servers, listener)
        environment, rows = prepare(bench, scaled.workload.table, options.data_rows)
        plan = plan_run(scaled, profile, servers, rows, seed=options.seed, time_scale=options.time_scale)
        security = Security(
            checks,
            scaled.workload.table,
            seed=options.seed,
            advisories=options.advisories,
            suppressions=suppressions,
        )
        return carry_out(bench, plan, environment, security, setup=options.setup)


def run_demo(settings: Settings, registry: Registry, options: DemoOptions, listener: Listener) -> Outcome:
    """The main job: embedded servers, seeded rows, legacy against optimized in alternating blocks, checks, verdict, report."""
    workload = WorkloadSpec(name="extraction", table=str(TABLE), rows=DEMO_EXTRACTION_ROWS)
    gates = load_quality_gate(scenario_folders(), registry.workload(workload.name).operations)
    scenario = Scenario(
        name="demo",
        title=f"legacy against optimized, {DEMO_USERS} users, {DEMO_EXTRACTION_ROWS:,}-row extractions",
        workload=workload,
        stages=(Stage(0.0, DEMO_USERS, is_step=True), Stage(options.block_s, DEMO_USERS)),
        gates=gates,
    )
    legacy, optimized = find_profile(settings, "legacy"), find_profile(settings, "optimized")
    checks = choose_checks(registry, DEMO_CHECKS)
    own = replace(settings, source=None, cache_url=None)
    with open_servers(own, registry, listener) as servers:
        bench = Workbench(own, registry, servers, listener)
        environment, rows = prepare(bench, str(TABLE), options.data_rows)
        plan = plan_comparison(
            scenario,
            legacy,
            optimized,
            servers,
            rows,
            pairs=options.pairs,
            washout_s=options.block_s * _WASHOUT_SHARE,
            seed=options.seed,
        )
        return carry_out(bench, plan, environment, Security(checks, str(TABLE), seed=options.seed))


def find_scenario(registry: Registry, name: str) -> Scenario:
    """A scenario by its name, with gates that its workload can answer."""
    return load_scenario(name, scenario_folders(), {workload.name: workload.operations for workload in registry.workloads})


def find_scaled(registry: Registry, options: RunOptions) -> Scenario:
    """The scenario as these options play it. Raises UsageError when a load machine would have nothing to do.

    Such a machine has no lag, and a lag that is not known makes a run invalid: better said before the load than after it.
    """
    scenario = scale_scenario(find_scenario(registry, options.scenario), options.time_scale)
    machines = options.setup.meeting.machines
    if scenario.arrival is Arrival.RATE:
        arrivals = arrival_times_ns(scenario.stages, scenario.gaps, options.seed)
        parts, noun = sum(1 for _ in islice(arrivals, machines)), "arrivals"
    else:
        parts, noun = users_planned_max(scenario.stages), "users"
    if machines > parts:
        raise UsageError(
            f"--expect-workers {machines}, and the load of {scenario.name!r} has {parts} {noun} to share: "
            f"expect {parts} machines at most, or plan more {noun}"
        )
    return scenario


def prepare(bench: Workbench, table: str, data_rows: int) -> tuple[Environment, int]:
    """Data where an embedded source needs it; who the server is; how many rows the table has."""
    servers, registry = bench.servers, bench.registry
    if servers.source_is_embedded:
        bench.listener(Step(f"loading {data_rows:,} seeded rows into table {TABLE}", expected_s=data_rows / 20_000))
        load_dataset(registry, servers.owner, Dataset(data_rows), bench.listener)
    facts = test_source(registry, servers.source)
    if facts.may_write:
        bench.listener(Note(f"the user of source '{servers.source.name}' can write: an extraction account should only read"))
    environment = read_environment(facts, servers.cache_label, registry.plugins)
    return environment, count_rows(registry, servers.source, parse_table_name(table))
