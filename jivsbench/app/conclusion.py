"""From a record to its end: summary, verdict, reports, and word to the plugins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jivsbench.analysis.judgement import judge
from jivsbench.analysis.summary import summarize
from jivsbench.app.partial import read_run
from jivsbench.model.gate import Gate
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Summary, Verdict
from jivsbench.plugins import Registry
from jivsbench.report.bundle import RUN_FILENAME, START_FILENAME, write_reports


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run with its end, and the folder that everything of it lies in."""

    folder: Path
    record: RunRecord
    summary: Summary
    verdict: Verdict
    problems: tuple[str, ...] = ()
    """Plugins that raised when they were told of the end."""

    @property
    def report(self) -> Path:
        """The page to open."""
        return self.folder / "report.html"


def conclude(record: RunRecord, folder: Path, registry: Registry, gates: Sequence[Gate] | None = None) -> Outcome:
    """Judge a record by its plan's gates (or by others), write every report, notify plugins."""
    summary = summarize(record)
    verdict = judge(record, summary, record.plan.scenario.gates if gates is None else gates)
    write_reports(folder, [reporter.render(record, summary, verdict) for reporter in registry.reporters])
    problems = registry.notify_run_finished(record, summary, verdict)
    return Outcome(folder, record, summary, verdict, problems)


def judge_again(folder: Path, gates: Sequence[Gate] | None = None) -> Outcome:
    """Judge a finished run from its bundle alone; writes nothing."""
    record = read_run(folder)
    summary = summarize(record)
    return Outcome(folder, record, summary, judge(record, summary, record.plan.scenario.gates if gates is None else gates))


def find_run(reports_dir: Path, name: str) -> Path:
    """The folder of a run: a path, a run id, or `latest`."""
    runs = reports_dir / "runs"
    if name == "latest":
        known = sorted(path for path in runs.glob("*") if any((path / name).is_file() for name in (RUN_FILENAME, START_FILENAME)))
        return known[-1] if known else runs / "latest"
    path = Path(name)
    return path if path.exists() else runs / name


def render_again(folder: Path, registry: Registry) -> Outcome:
    """Write the reports of a finished run again, from its bundle alone."""
    return conclude(read_run(folder), folder, registry)
