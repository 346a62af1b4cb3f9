"""`audit`: whether a result file is consistent with itself, and, for a run of ours, with its raw evidence."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from jivsbench import __version__
from jivsbench.analysis.contradictions import audit_claims, compare_workloads
from jivsbench.analysis.judgement import judge
from jivsbench.analysis.recomputation import compare_values, recompute_arms, recompute_monitor, recompute_summary
from jivsbench.analysis.run_claims import list_claims
from jivsbench.api.protocols import Reporter
from jivsbench.app.checks import score_results
from jivsbench.app.conclusion import find_run, require_figures
from jivsbench.checks.runner import find_shortfall
from jivsbench.config.mappings import load_mapping
from jivsbench.errors import InvalidRunError
from jivsbench.load.intervals import INTERVALS_FILENAME, read_intervals
from jivsbench.load.monitor import MONITOR_FILENAME, read_looks
from jivsbench.model.claims import Audit, Claims, Relation, Rule, join_audits
from jivsbench.model.finding import CheckOutcome
from jivsbench.model.record import RunRecord
from jivsbench.plugins import Registry, format_exception
from jivsbench.report.bundle import PLAN_FILENAME, RUN_FILENAME, read_run
from jivsbench.report.manifest import find_changes, read_manifest
from jivsbench.report.run_file import RunFile, dump_plan
from jivsbench.results import read_claims
from jivsbench.results.reading import read_document


def audit_file(
    reports_dir: Path, name: str, registry: Registry, mapping: Path | None = None, against: str | None = None
) -> Audit:
    """Audit a file, a run's folder, a run id or `latest`; with `against`, also whether the two may be compared.

    Raises ConfigError when the file cannot be told or read.
    """
    claims, audits = _audit_one(find_run(reports_dir, name), registry, mapping)
    if against is not None:
        others, more = _audit_one(find_run(reports_dir, against), registry, mapping)
        audits += more
        workloads = [relation for one in claims for other in others for relation in compare_workloads(one, other)]
        audits.append(Audit(claims[0].format, tuple(workloads), shares_nothing=not workloads))
    return join_audits(audits)


def _audit_one(path: Path, registry: Registry, mapping: Path | None) -> tuple[tuple[Claims, ...], list[Audit]]:
    if mapping is None and _is_ours(path):
        run = read_run(path)
        folder = path if path.is_dir() else path.parent
        with require_figures(path):
            claims = list_claims(run.record, run.summary, run.verdict)
            return claims, [*map(audit_claims, claims), Audit(claims[0].format, tuple(_recompute(folder, run, registry)))]
    claims = read_claims(path, load_mapping(mapping) if mapping else None)
    return claims, [audit_claims(each) for each in claims]


def _is_ours(path: Path) -> bool:
    if path.is_dir():
        return True
    document: Any = read_document(path)
    return isinstance(document, dict) and {"format_version", "record"} <= document.keys()


def _recompute(folder: Path, run: RunFile, registry: Registry) -> Iterator[Relation]:
    yield from _verify_manifest(folder)
    record, summary, verdict = run.record, run.summary, run.verdict
    if record.environment.jivsbench_version != __version__:
        # Another version may have other figures and other rules; only what it wrote itself can be held against it.
        return
    intervals, looks = folder / INTERVALS_FILENAME, folder / MONITOR_FILENAME
    if intervals.is_file():
        arms = partial(recompute_arms, record, lambda: read_intervals(intervals, is_cut_off=record.is_partial))
        yield from _try(INTERVALS_FILENAME, arms)
    if looks.is_file():
        yield from _try(MONITOR_FILENAME, lambda: recompute_monitor(record, read_looks(looks)))
    yield from _try("security", lambda: _recompute_security(record))
    yield from _try("summary", lambda: recompute_summary(record, summary, verdict.inputs))
    yield from _try("verdict", lambda: _recompute_verdict(run))
    yield from _compare_files(folder, run, registry)


def _try(part: str, recompute: Callable[[], Iterable[Relation]]) -> Iterator[Relation]:
    """What one step finds. One that breaks off is a contradiction like any other, and ends no other step."""
    try:
        yield from recompute()
    except (InvalidRunError, ArithmeticError, ValueError, OSError) as exc:
        yield Relation(Rule.RECOMPUTED, part, f"cannot be computed again: {exc}", holds=False)


def _recompute_verdict(run: RunFile) -> Iterator[Relation]:
    verdict = run.verdict
    yield compare_values("verdict", verdict, judge(run.record, run.summary, verdict.asked, verdict.inputs))


def _recompute_security(record: RunRecord) -> Iterator[Relation]:
    """The score with its caps and its letter from the outcomes and findings; and that whatever passed had something to pass."""
    yield compare_values("security score", record.score, score_results(record.checks))
    for check in record.checks:
        if check.outcome is CheckOutcome.PASS:
            shortfall = find_shortfall(check)
            told = shortfall or "attacks reached the target between harmless requests"
            yield Relation(Rule.RECOMPUTED, f"check {check.check_id} {check.outcome}", told, shortfall is None)


def _verify_manifest(folder: Path) -> Iterator[Relation]:
    manifest = read_manifest(folder)
    if manifest is None:
        return
    changes = find_changes(folder, manifest.hashes)
    for name in manifest.hashes:
        yield Relation(Rule.MANIFEST, name, changes.get(name, "is as it was written"), name not in changes)
    for place in manifest.damaged:
        yield Relation(Rule.MANIFEST, place, "names no file with its SHA-256", holds=False)


def _compare_files(folder: Path, run: RunFile, registry: Registry) -> Iterator[Relation]:
    """plan.json and every report against what they are rendered to from run.json."""
    plan = folder / PLAN_FILENAME
    if plan.is_file():
        yield from _try(PLAN_FILENAME, lambda: [_compare_bytes(PLAN_FILENAME, plan.read_bytes(), dump_plan(run.record.plan))])
    for reporter in registry.reporters:
        file = folder / reporter.filename
        if file.is_file() and reporter.filename != RUN_FILENAME:
            yield from _try(reporter.filename, partial(_compare_report, file, run, reporter))


def _compare_report(file: Path, run: RunFile, reporter: Reporter) -> Iterator[Relation]:
    # It may be a plugin's: what it cannot render is told, and ends no other step.
    try:
        rendered = reporter.render(run.record, run.summary, run.verdict).content
    except Exception as exc:
        raise ValueError(f"reporter {reporter.name} raised {format_exception(exc)}") from exc
    yield _compare_bytes(file.name, file.read_bytes(), rendered)


def _compare_bytes(name: str, stated: bytes, found: bytes) -> Relation:
    text = "as rendered again from run.json" if stated == found else "differs from what run.json renders to"
    return Relation(Rule.RECOMPUTED, name, text, stated == found)
