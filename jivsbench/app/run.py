"""Carries out a plan: targets up, load, checks, record, verdict, reports."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from jivsbench.analysis.arms import build_arm
from jivsbench.analysis.validity import find_invalidities
from jivsbench.analysis.windows import add_windows
from jivsbench.app.checks import Security, add_missing_guard, attack, score_results
from jivsbench.app.conclusion import Outcome, conclude
from jivsbench.app.derived_sources import create_on, make_sources
from jivsbench.app.live import follow_load
from jivsbench.app.outputs import remove_old_outputs
from jivsbench.app.plans import load_duration_s
from jivsbench.app.progress import Step
from jivsbench.app.server_access import build_server_access
from jivsbench.app.servers import Workbench
from jivsbench.app.targets import Target, start_targets
from jivsbench.config import find_feed, scenario_folders
from jivsbench.config.feeds import read_feed
from jivsbench.errors import InterruptedRunError, InvalidRunError, OutputError
from jivsbench.load.aborting import AbortWatch
from jivsbench.load.intervals import read_intervals
from jivsbench.load.launcher import run_load
from jivsbench.load.monitor import Monitor
from jivsbench.load.spec import LoadSpec
from jivsbench.model.feed import FeedRow
from jivsbench.model.finding import CheckResult
from jivsbench.model.record import (
    FORMAT_VERSION,
    ArmRecord,
    Environment,
    GeneratorFacts,
    MonitorFacts,
    Plan,
    RunKind,
    RunRecord,
    ServerRecord,
)
from jivsbench.report.bundle import write_plan


@dataclass(slots=True)
class _Measured:
    """What a run has measured so far; what is missing when it is cut short stays empty."""

    arms: tuple[ArmRecord, ...] = ()
    generator: GeneratorFacts | None = None
    checks: tuple[CheckResult, ...] = ()
    invalid: list[str] = field(default_factory=list)
    aborted: str = ""
    servers: ServerRecord | None = None
    monitor: MonitorFacts | None = None

    def must_end(self, reason: str | None) -> bool:
        """Keep the reason for which a gate ends the load, if there is one."""
        self.aborted = self.aborted or reason or ""
        return bool(self.aborted)


def new_run_folder(reports_dir: Path, scenario: str) -> Path:
    """A new folder for one run, named by the moment and the scenario, so that names sort by time."""
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{scenario}-{secrets.token_hex(2)}"
    folder = reports_dir / "runs" / name
    try:
        folder.mkdir(parents=True)
    except OSError as exc:
        raise OutputError(
            f"the run needs the folder {folder}, which cannot be made ({exc.strerror}): choose another with --reports-dir"
        ) from exc
    return folder


def carry_out(bench: Workbench, plan: Plan, environment: Environment, security: Security) -> Outcome:
    """Carry out a plan to its reports. A run that is cut short leaves a bundle marked invalid.

    Raises InterruptedRunError, after the bundle is written, when the user pressed Ctrl-C.
    """
    folder = new_run_folder(bench.settings.reports_dir, plan.scenario.name)
    write_plan(folder, plan)
    started, clock_s = datetime.now(UTC), time.monotonic()
    measured = _Measured()
    interrupted = False
    try:
        _measure(bench, measured, plan, security, folder)
    except InvalidRunError as exc:
        measured.invalid.append(str(exc))
    except KeyboardInterrupt:
        interrupted = True
        measured.invalid.append(f"interrupted by the user after {time.monotonic() - clock_s:.0f} s")
    record = _build_record(plan, environment, measured, folder.name, (started, time.monotonic() - clock_s))
    outcome = conclude(record, folder, bench.registry)
    if interrupted:
        raise InterruptedRunError(f"interrupted: what was measured so far is in {folder}, marked invalid")
    return outcome


def _measure(bench: Workbench, measured: _Measured, plan: Plan, security: Security, folder: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix="jivsbench-targets-"))
    try:
        names = " and ".join(profile.name for profile in plan.profiles)
        bench.listener(Step(f"starting the extraction service: {names}", expected_s=4))
        with (
            make_sources(plan.scenario.workload, work, folder / "sources.log") as sources,
            start_targets(bench, plan.profiles, work, folder) as targets,
        ):
            for target in targets:
                create_on(target, sources)
            _load(bench, measured, plan, targets, folder)
            if security.checks and not measured.aborted:
                measured.checks = attack(bench, targets[-1], security, work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _load(bench: Workbench, measured: _Measured, plan: Plan, targets: Sequence[Target], folder: Path) -> None:
    arms = tuple(target.as_load_arm() for target in targets)
    intervals = folder / "intervals.jsonl"
    spec = LoadSpec(
        arms=arms,
        source=bench.servers.source.name,
        table_rows=plan.table_rows,
        workload=plan.scenario.workload,
        stages=plan.scenario.stages,
        blocks=plan.blocks,
        seed=plan.seed,
        intervals_path=str(intervals),
        plugins=bench.settings.plugins,
        disabled_plugins=bench.settings.disabled_plugins,
        sources=plan.sources,
        feed=_read_feed(plan),
    )
    bench.listener(Step(f"load: {plan.scenario.title}", expected_s=load_duration_s(plan)))
    with ExitStack() as stack:
        stack.enter_context(remove_old_outputs([target.output_dir for target in targets]))
        monitor = stack.enter_context(Monitor(arms, folder / "monitor.jsonl", build_server_access(bench)))
        watch = AbortWatch(plan.scenario.gates if plan.kind is RunKind.RUN else (), plan.candidate, intervals)
        tell = follow_load(plan, monitor, bench.listener)
        outcome = run_load(spec, folder, tell, lambda progress: measured.must_end(watch.look(progress.elapsed_s)))
    totals = dict(outcome.totals)
    measured.generator = outcome.generator
    measured.servers, measured.monitor = monitor.server_record(since_ns=outcome.started_ns), monitor.facts()
    records = (
        build_arm(
            profile=target.profile,
            guards=target.guards,
            intervals=read_intervals(intervals),
            blocks=outcome.blocks,
            totals=totals[target.profile.name],
            monitor=monitor.rows(target.profile.name, since_ns=outcome.started_ns),
        )
        for target in targets
    )
    records = (replace(arm, phases=monitor.phases(arm.profile.name)) for arm in records)
    measured.arms = tuple(
        add_windows(arm, plan.scenario, read_intervals(intervals)) if plan.kind is RunKind.RUN else arm for arm in records
    )


def _read_feed(plan: Plan) -> tuple[FeedRow, ...]:
    path = find_feed(plan.scenario, scenario_folders())
    return read_feed(path).rows if path else ()


def _build_record(
    plan: Plan, environment: Environment, measured: _Measured, run_id: str, when: tuple[datetime, float]
) -> RunRecord:
    started, duration_s = when
    checks = add_missing_guard(plan.profiles[-1], measured.checks)
    record = RunRecord(
        format_version=FORMAT_VERSION,
        run_id=run_id,
        started_at=started.isoformat(timespec="seconds"),
        duration_s=duration_s,
        plan=plan,
        environment=environment,
        arms=measured.arms,
        generator=measured.generator,
        checks=checks,
        score=score_results(checks),
        invalid=tuple(measured.invalid),
        aborted=measured.aborted,
        servers=measured.servers,
        monitor=measured.monitor,
    )
    # A run that was cut short has said why; what else its fragments lack would only hide that.
    return record if record.invalid else replace(record, invalid=find_invalidities(record))
