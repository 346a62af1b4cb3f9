"""`calibrate` and `plan`: a target against itself, and what follows for comparisons on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jivsbench import __version__
from jivsbench.analysis.comparison import whole_pairs
from jivsbench.analysis.detectability import Trial, measure_noise, pairs_needed
from jivsbench.app.comparison import (
    ArmChoice,
    Arms,
    Ground,
    Judging,
    Load,
    build_rule,
    build_scenario,
    choose_arms,
    play_comparison,
    require_processes,
)
from jivsbench.app.environment import fingerprint_machine
from jivsbench.app.plans import draw_seed
from jivsbench.app.progress import Listener, Note, Step
from jivsbench.app.scenarios import DEMO_ROWS, prepare
from jivsbench.app.servers import Workbench, open_servers
from jivsbench.config import Settings
from jivsbench.dataset import TABLE
from jivsbench.errors import InvalidRunError, UsageError
from jivsbench.model.calibration import Calibration
from jivsbench.model.comparison import ComparisonRule, Criterion
from jivsbench.plugins import Registry
from jivsbench.report.calibration_file import read_calibrations, write_calibration

_FOLDER: Final = "calibration"
# Of a process with one pair nobody knows what is the pair's and what the process's.
_PAIRS_OF_PROCESS: Final = 2


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """Which target against itself, under which load, how often."""

    profile: str
    load: Load
    trials: int = 3
    seed: int | None = None
    data_rows: int = DEMO_ROWS


@dataclass(frozen=True, slots=True)
class Need:
    """How long an effect must be measured on this machine; `pairs` is None when no time is enough."""

    calibration: Calibration
    pairs: int | None
    processes: int

    @property
    def load_s(self) -> float | None:
        """Load for both targets together."""
        return None if self.pairs is None else 2 * self.pairs * self.calibration.block_s


def calibrate(
    settings: Settings, registry: Registry, options: CalibrationOptions, listener: Listener
) -> tuple[Calibration, Path]:
    """Compare a target with itself, trial by trial with fresh processes, and store what that shows.

    Raises UsageError for a load that shows no noise, ConfigError for a stored file that cannot be added to, and InvalidRunError
    when no trial was valid.
    """
    _require_pairs(options.load)
    read_calibrations(settings.reports_dir)
    seed = draw_seed(options.seed)
    arms = choose_arms(settings, registry, (ArmChoice(options.profile), ArmChoice(options.profile)))
    rule = build_rule(Judging(looks=1), options.load)
    # Beside the runs, not among them: a comparison with itself is nobody's latest run.
    own = replace(settings, reports_dir=settings.reports_dir / _FOLDER)
    with open_servers(settings, registry, listener) as servers:
        bench = Workbench(own, registry, servers, listener)
        environment, table_rows = prepare(bench, str(TABLE), options.data_rows)
        trials = tuple(_play_trials(Ground(bench, environment, table_rows), arms, options, rule, seed))
    if not trials:
        raise InvalidRunError(f"none of {options.trials} trials was valid: calibrate when the machine is less busy")
    noises = measure_noise(trials, rule)
    if not noises:
        raise InvalidRunError("no statistic had an interval in every trial: calibrate with longer blocks, in which jobs end")
    calibration = Calibration(
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=fingerprint_machine(),
        machine_label=environment.machine_label,
        jivsbench_version=__version__,
        profile=options.profile,
        workload=(scenario := build_scenario(options.load)).workload,
        stages=scenario.stages,
        source_label=servers.source_label,
        trials=len(trials),
        invalid_trials=options.trials - len(trials),
        pairs=min(len(whole_pairs(*trial)) for trial in trials),
        processes=options.load.processes,
        alpha_ratio=rule.alpha_ratio,
        seeds=tuple(seed + number for number in range(options.trials)),
        noises=noises,
    )
    return calibration, write_calibration(settings.reports_dir, calibration)


def _require_pairs(load: Load) -> None:
    if load.pairs < (least := _PAIRS_OF_PROCESS * load.processes):
        raise UsageError(
            f"{load.pairs} pairs against {load.processes} processes do not tell pairs from processes: play at least {least} "
            "(a larger --budget, a shorter --block, or fewer --processes)"
        )


def _play_trials(ground: Ground, arms: Arms, options: CalibrationOptions, rule: ComparisonRule, seed: int) -> Iterator[Trial]:
    """The trials that say something; of the others the listener hears why."""
    tell = ground.bench.listener
    for number in range(options.trials):
        tell(Step(f"trial {number + 1} of {options.trials}: {options.profile} against itself, seed {seed + number}"))
        record = play_comparison(ground, arms, options.load, rule, seed + number).record
        if record.invalid:
            tell(Note(f"this trial says nothing: {record.invalid[0]}"))
        else:
            yield record.arms[0].blocks, record.arms[1].blocks


def find_need(settings: Settings, profile: str, criterion: Criterion, effect_ratio: float, processes: int) -> Need:
    """How long an effect of that size must be measured here, with so many processes of each target.

    Raises UsageError without a calibration of this machine, and for processes that cannot show anything.
    """
    require_processes(processes)
    known = [entry for entry in read_calibrations(settings.reports_dir) if entry.profile == profile]
    machine = fingerprint_machine()
    here = [entry for entry in known if entry.machine == machine]
    if not here:
        other = f"those in {settings.reports_dir} were measured on other machines" if known else "there is none"
        raise UsageError(
            f"how long to measure follows from a calibration of profile {profile!r} on this machine, and {other}: "
            f"run `jivsbench calibrate --profile {profile}`"
        )
    newest = max(here, key=lambda entry: entry.measured_at)
    noise = newest.noise(criterion.metric, criterion.statistic)
    if noise is None:
        raise UsageError(
            f"the calibration of {newest.measured_at} could not measure {criterion}: calibrate with other blocks (--block)"
        )
    return Need(newest, pairs_needed(noise, effect_ratio, newest.alpha_ratio, processes), processes)
