"""`gate`: judges a finished run again, by its own gates or by others, with what is brought from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jivsbench.app.baselines import find_baseline
from jivsbench.app.conclusion import Outcome, find_run, judge_again, render_again
from jivsbench.app.partial import read_or_rebuild
from jivsbench.app.today import read_today
from jivsbench.config import Settings, scenario_folders
from jivsbench.config.gate_files import load_gates, load_sections, load_suppressions, load_waivers
from jivsbench.config.scenarios import QUALITY_GATE
from jivsbench.errors import UsageError
from jivsbench.model.gate import Gate
from jivsbench.model.inputs import Inputs
from jivsbench.plugins import Registry
from jivsbench.results.coverage_results import read_coverage
from jivsbench.results.junit_results import read_junit
from jivsbench.results.sarif_results import read_sarif


@dataclass(frozen=True, slots=True)
class GateOptions:
    """What the user brought to a judgement."""

    gates: str | None = None
    """A scenario, a gate file, or None: the gates of the run's own plan."""
    sections: tuple[str, ...] = ()
    junit: tuple[Path, ...] = ()
    coverage: Path | None = None
    findings: tuple[Path, ...] = ()
    waivers: Path | None = None
    suppressions: Path | None = None
    writes: bool = False
    against: str | None = None
    """A scenario whose baseline it is held against, or another run."""


def judge_run(settings: Settings, run: str, options: GateOptions, registry: Registry) -> Outcome:
    """Judge a run again; with `writes` its reports are written again as well. Raises UsageError for whatever cannot be read."""
    folder = find_run(settings.reports_dir, run)
    inputs = _read_inputs(options)
    gates = _choose_gates(folder, options)
    if options.writes and options.against:
        raise UsageError(
            "--write keeps what follows from this run alone, and --against brings another one in: leave one of them out"
        )
    if options.writes:
        return render_again(folder, registry, gates, inputs)
    against = find_baseline(settings.reports_dir, options.against) if options.against else None
    return judge_again(folder, gates, inputs, against)


def _read_inputs(options: GateOptions) -> Inputs | None:
    if not (options.junit or options.coverage or options.findings or options.waivers or options.suppressions):
        return None
    waivers = load_waivers(options.waivers) if options.waivers else ()
    suppressions = load_suppressions(options.suppressions) if options.suppressions else ()
    return Inputs(
        judged_on=read_today(),
        tests=read_junit(options.junit) if options.junit else None,
        coverage=read_coverage(options.coverage) if options.coverage else None,
        findings=tuple(finding for path in options.findings for finding in read_sarif(path)),
        findings_files=tuple(path.name for path in options.findings),
        waivers=(*waivers, *suppressions),
    )


def _choose_gates(folder: Path, options: GateOptions) -> tuple[Gate, ...] | None:
    """The gates asked for, and those that judge the files that were brought; None: the run's own and nothing else."""
    brought = [name for name, is_there in (("tests", options.junit), ("coverage", options.coverage)) if is_there]
    if not (options.gates or options.sections or brought):
        return None
    folders = scenario_folders()
    own: Sequence[Gate] = (
        read_or_rebuild(folder).plan.scenario.gates if options.gates is None else load_gates(options.gates, folders)
    )
    source = options.gates if options.gates is not None and options.gates.endswith(".toml") else QUALITY_GATE
    added = load_sections(source, folders, (*options.sections, *brought))
    return tuple(dict.fromkeys((*own, *added)))
