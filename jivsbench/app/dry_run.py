"""What a run would do and cost, without doing it: nothing is started, nothing is sent, no server is asked.

What follows from the plan is said as a number; what depends on the target is said to do so. Nothing is estimated from a guess of
how fast a target might be.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from jivsbench.analysis.capacity import MOST_PLATEAUS
from jivsbench.analysis.schedule import Step, list_steps
from jivsbench.app.capacity import DRAIN_SHARE, plateau_length_s
from jivsbench.app.checks import choose_checks
from jivsbench.app.derived_sources import describe_sources
from jivsbench.app.outputs import KEPT_S
from jivsbench.app.scenarios import RunOptions, find_scaled
from jivsbench.config import Settings, find_profile
from jivsbench.config.gate_files import load_suppressions
from jivsbench.dataset import Dataset
from jivsbench.extract.guards import require_guards
from jivsbench.load.spec import DRAIN_LIMIT_S
from jivsbench.model.arrivals import expected_arrivals
from jivsbench.model.gate_text import format_gate
from jivsbench.model.profile import Profile
from jivsbench.model.scenario import Arrival, MixAction, OfferedSource, Question, Scenario, WorkloadSpec
from jivsbench.model.table import ExtractionRequest
from jivsbench.plugins import Registry

_SAMPLE_ROWS: Final = 1_000
_EXTRACTION_REQUESTS: Final = 4
"""create, start, wait, statistics; a long poll is asked again every 10 s."""
_LOOK_REQUESTS: Final = {MixAction.LIST: 1, MixAction.STATISTICS: 2, MixAction.LOGS: 2}


@dataclass(frozen=True, slots=True)
class Cost:
    """One thing that the load takes. `amount` is None when only a run can tell."""

    name: str
    amount: float | None
    unit: str
    how: str
    is_most: bool = False
    """True: the target's own time makes it less."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """The schedule of a run and its costs."""

    scenario: str
    title: str
    profile: str
    arrival: Arrival
    time_scale: float
    seed: int
    steps: tuple[Step, ...]
    duration_s: float
    gates: tuple[str, ...]
    sources: tuple[OfferedSource, ...]
    costs: tuple[Cost, ...]


def plan_dry_run(settings: Settings, registry: Registry, options: RunOptions) -> DryRun:
    """The plan of `run` with these options. Raises whatever `run` would raise before it starts anything."""
    scenario = find_scaled(registry, options)
    profile = find_profile(settings, options.profile)
    require_guards(profile, registry.guards)
    if options.with_checks:
        choose_checks(registry)
    if options.suppressions:
        load_suppressions(options.suppressions)
    return DryRun(
        scenario=scenario.name,
        title=scenario.title,
        profile=profile.name,
        arrival=scenario.arrival,
        time_scale=options.time_scale,
        seed=options.seed,
        steps=list_steps(scenario.stages, scenario.arrival),
        duration_s=scenario.duration_s,
        gates=tuple(format_gate(gate) for gate in scenario.gates),
        sources=describe_sources(scenario.workload),
        costs=_list_costs(scenario, profile, options, is_embedded=settings.source is None),
    )


def _list_costs(scenario: Scenario, profile: Profile, options: RunOptions, *, is_embedded: bool) -> tuple[Cost, ...]:
    iterations, how = _count_iterations(scenario)
    is_most = iterations is not None and scenario.arrival is Arrival.USERS
    rows, requests = _rows_an_iteration(scenario.workload), _requests_an_iteration(scenario.workload)
    if scenario.workload.feed:
        # Its rows say how many each iteration asks for.
        iterations_with_rows, of_rows = None, "only a run can tell: the feed says how many rows each iteration asks for"
    else:
        iterations_with_rows, of_rows = iterations, f"{rows:,.0f} an iteration on average; what fails brings fewer"
    row_bytes = _measure_row_bytes(profile)
    costs = [
        Cost(
            "load", scenario.duration_s, "s", f"the stages; at most {DRAIN_LIMIT_S:.0f} s more for what is in flight at the end"
        ),
        Cost("iterations", iterations, "iterations", how, is_most),
        Cost(
            "requests",
            _times(iterations, requests),
            "requests",
            f"{requests:.4g} an iteration on average, plus repeated long polls",
            is_most,
        ),
        Cost("rows", _times(iterations_with_rows, rows), "rows", of_rows, is_most),
        Cost(
            "output",
            _times(iterations_with_rows, rows * row_bytes),
            "bytes",
            f"{row_bytes:.0f} bytes a row, measured on {_SAMPLE_ROWS:,} seeded rows; outputs are removed after {KEPT_S:.0f} s",
            is_most,
        ),
    ]
    if Question.CAPACITY in scenario.questions:
        length_s = plateau_length_s(options.time_scale)
        how = (
            f"after the stages, at most {MOST_PLATEAUS} plateaus of {length_s:g} s each and as long again for what is in flight "
            "at the end of each; their requests and rows come on top"
        )
        costs.append(Cost("capacity", MOST_PLATEAUS * length_s * (1 + DRAIN_SHARE), "s", how, is_most=True))
    if is_embedded:
        costs.append(
            Cost("test data", options.data_rows, "rows", "loaded into an embedded PostgreSQL before the load; gone afterwards")
        )
    return tuple(costs)


def _count_iterations(scenario: Scenario) -> tuple[float | None, str]:
    if scenario.arrival is Arrival.RATE:
        return expected_arrivals(scenario.stages), "the area under the planned rate"
    user_s = sum((step.load_from + step.load_to) / 2 * (step.end_s - step.start_s) for step in list_steps(scenario.stages))
    think_s = scenario.workload.think_time_s
    if think_s:
        most = user_s / think_s
        return (
            most,
            f"at most: {user_s:,.0f} user-seconds, each iteration with {think_s:g} s of thinking; the target's time comes on top",
        )
    return None, f"only a run can tell: {user_s:,.0f} user-seconds, and how many fit in depends on the target"


def _rows_an_iteration(workload: WorkloadSpec) -> float:
    if not workload.mix:
        return float(workload.rows)
    return sum(entry.weight * entry.rows for entry in workload.mix) / sum(entry.weight for entry in workload.mix)


def _requests_an_iteration(workload: WorkloadSpec) -> float:
    if not workload.mix:
        return float(_EXTRACTION_REQUESTS)
    # An extraction of a mix is also looked at once while it runs.
    requests = (entry.weight * _LOOK_REQUESTS.get(entry.action, _EXTRACTION_REQUESTS + 1) for entry in workload.mix)
    return sum(requests) / sum(entry.weight for entry in workload.mix)


def _times(iterations: float | None, amount: float) -> float | None:
    return None if iterations is None else iterations * amount


def _measure_row_bytes(profile: Profile) -> float:
    """What a seeded row takes on disk in this profile's format: written for once, and looked at."""
    from jivsbench.extract.folders import create_job_folder
    from jivsbench.extract.sinks import FileSink, choose_encoding

    encoding = choose_encoding(ExtractionRequest("sample"), profile)
    batch = next(islice(Dataset(_SAMPLE_ROWS).batches(), 1))
    with TemporaryDirectory(prefix="jivsbench-dry-run-") as root:
        sink = FileSink(create_job_folder(Path(root), "sample"), 0, batch.schema, encoding)
        try:
            sink.write(batch)
            return sink.close().size_bytes / _SAMPLE_ROWS
        finally:
            sink.abort()
