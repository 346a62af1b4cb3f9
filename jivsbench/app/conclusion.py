"""From a record to its end: summary, verdict, reports."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from jivsbench.analysis.judgement import judge
from jivsbench.analysis.sequential import list_sequential_effects
from jivsbench.analysis.summary import summarize
from jivsbench.app.partial import read_or_rebuild
from jivsbench.errors import ConfigError, InvalidRunError, OutputError, UsageError
from jivsbench.model.gate import Gate
from jivsbench.model.inputs import Inputs
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Effect, Summary, Verdict
from jivsbench.plugins import Registry, format_exception
from jivsbench.report.bundle import RUN_FILENAME, START_FILENAME, read_record, read_run, seal_folder, write_reports
from jivsbench.report.manifest import MANIFEST_FILENAME, find_changes, read_manifest

_SHOWN: Final = 80
"""Characters of a name within a message."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run with its end, and the folder that everything of it lies in."""

    folder: Path
    record: RunRecord
    summary: Summary
    verdict: Verdict
    unwritten: tuple[str, ...] = ()
    """Reports that could not be rendered or written, each with the reason."""
    problems: tuple[str, ...] = ()
    """Plugins that raised when they were told of the end."""

    @property
    def report(self) -> Path:
        """The page to open."""
        return self.folder / "report.html"


def conclude(
    record: RunRecord, folder: Path, registry: Registry, gates: Sequence[Gate] | None = None, inputs: Inputs | None = None
) -> Outcome:
    """Judge a record by its plan's gates (or by others), and write every report.

    run.json comes first, which every other report can be rendered from again: one of these that fails spoils no run.
    """
    summary = summarize(record, inputs)
    verdict = judge(record, summary, record.plan.scenario.gates if gates is None else gates, inputs)
    unwritten = []
    for reporter in sorted(registry.reporters, key=lambda one: one.filename != RUN_FILENAME):
        try:
            write_reports(folder, [reporter.render(record, summary, verdict)])
        except Exception as exc:
            if reporter.filename == RUN_FILENAME:
                raise
            reason = exc if isinstance(exc, OutputError) else f"the reporter {reporter.name} raised {format_exception(exc)}"
            unwritten.append(f"{reporter.filename} is missing: {reason}")
            # What an earlier verdict left there would be taken for this one's.
            with suppress(OSError):
                (folder / reporter.filename).unlink()
    seal_folder(folder, {reporter.filename for reporter in registry.reporters})
    return Outcome(folder, record, summary, verdict, tuple(unwritten))


def judge_again(
    folder: Path, gates: Sequence[Gate] | None = None, inputs: Inputs | None = None, against: Path | None = None
) -> Outcome:
    """Judge a finished run from its bundle, and from what is brought from outside; writes nothing.

    With `against`, relative gates of a run with one arm are answered by the ratio to that earlier run, without an interval.
    Raises ConfigError when the run's own file was changed.
    """
    refuse_changed(folder)
    with require_figures(folder):
        record = read_or_rebuild(folder)
        summary = summarize(record, inputs)
    if against is not None:
        if summary.effects:
            raise UsageError(f"run {record.run_id} compares two arms already: hold a run with one arm against an earlier one")
        summary = replace(summary, effects=_hold_against(against, record, summary))
    with require_figures(folder):
        verdict = judge(record, summary, record.plan.scenario.gates if gates is None else gates, inputs)
    return Outcome(folder, record, summary, verdict)


def _hold_against(against: Path, record: RunRecord, summary: Summary) -> tuple[Effect, ...]:
    earlier = read_record(against)
    refuse_invalid(earlier)
    with require_figures(against):
        return list_sequential_effects((earlier, summarize(earlier)), (record, summary))


def judge_as_written(folder: Path) -> Outcome:
    """Judge a finished run by the gates, and by whatever was brought from outside, that its own file was judged by.

    Raises ConfigError when that file was changed.
    """
    refuse_changed(folder)
    run = read_run(folder)
    inputs = run.verdict.inputs
    with require_figures(folder):
        summary = summarize(run.record, inputs)
        verdict = judge(run.record, summary, run.verdict.asked, inputs)
    return Outcome(folder, run.record, summary, verdict)


@contextmanager
def require_figures(place: Path) -> Iterator[None]:
    """Raise ConfigError for a file that reads as a run, with numbers that no figure comes from."""
    try:
        yield
    except (ArithmeticError, ValueError) as exc:
        raise ConfigError(f"{place} has no figures ({exc}): it was not written by jivsbench, or was changed since") from exc


def refuse_invalid(record: RunRecord) -> None:
    """Raise InvalidRunError for a run that cannot be compared with: it measured nothing that counts, or a part of its plan."""
    if record.invalid:
        raise InvalidRunError(f"run {record.run_id} is invalid ({record.invalid[0]}): compare runs that measured something")
    if record.aborted:
        raise InvalidRunError(f"run {record.run_id} was ended early ({record.aborted}): compare runs that were played whole")


def find_run(reports_dir: Path, name: str) -> Path:
    """The folder of a run: a path, a run id, or `latest`. Raises ConfigError for one that cannot be looked up."""
    try:
        found = _find_latest(reports_dir / "runs") if name == "latest" else _find_named(reports_dir / "runs", name)
        # A folder that may not be entered exists; nothing in it does.
        (found / RUN_FILENAME).exists()
    except OSError as exc:
        raise ConfigError(
            f"the run {name[:_SHOWN]!r} cannot be looked up ({exc.strerror}): name a readable folder, a run id or `latest`"
        ) from exc
    return found


def _find_latest(runs: Path) -> Path:
    known = sorted(path for path in runs.glob("*") if any((path / name).is_file() for name in (RUN_FILENAME, START_FILENAME)))
    return known[-1] if known else runs / "latest"


def _find_named(runs: Path, name: str) -> Path:
    path = Path(name)
    return path if path.exists() or path.parent != Path() else runs / name


def render_again(folder: Path, registry: Registry, gates: Sequence[Gate] | None = None, inputs: Inputs | None = None) -> Outcome:
    """Judge a finished run again, from its bundle and from what is brought from outside, and write its reports so.

    Raises ConfigError when the run's own file was changed.
    """
    refuse_changed(folder)
    with require_figures(folder):
        return conclude(read_or_rebuild(folder), folder, registry, gates, inputs)


def render_as_written(folder: Path, registry: Registry) -> Outcome:
    """Write the reports of a run again, with the gates and inputs that its file was judged by: rendering is no new judgement.

    A run that was cut off has no such file, and is judged by its plan. Raises ConfigError when the run's own file was changed.
    """
    if not (folder / RUN_FILENAME).is_file():
        return render_again(folder, registry)
    refuse_changed(folder)
    run = read_run(folder)
    with require_figures(folder):
        return conclude(run.record, folder, registry, run.verdict.asked, run.verdict.inputs)


def refuse_changed(run: Path) -> None:
    """Raise ConfigError for a run's own file, or its folder, that is not as its sums say. One without sums has nothing to hold.

    A verdict on it would be one on figures that nobody measured, and rendering would write the change over its trace.
    """
    file = run / RUN_FILENAME if run.is_dir() else run
    manifest = read_manifest(file.parent)
    if manifest is None:
        return
    if manifest.damaged:
        raise ConfigError(
            f"{file.parent / MANIFEST_FILENAME} is damaged ({manifest.damaged[0]} names no file with its SHA-256): "
            f"see what still holds with 'jivsbench audit {file.parent}', and bring the file back as it was"
        )
    if find_changes(file.parent, {name: digest for name, digest in manifest.hashes.items() if name == file.name}):
        raise ConfigError(
            f"{file} is not as it was written (SHA-256 differs): see what with 'jivsbench audit {file.parent}', "
            "and bring it back as it was"
        )
