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

from jivsbench.analysis.evidence import build_planned_arm
from jivsbench.analysis.validity import find_invalidities
from jivsbench.app.calibrations import find_calibration
from jivsbench.app.capacity import search_capacity
from jivsbench.app.checks import Security, add_missing_guard, attack, score_results
from jivsbench.app.conclusion import Outcome, conclude
from jivsbench.app.derived_sources import create_on, make_sources
from jivsbench.app.live import follow_load
from jivsbench.app.outputs import remove_old_outputs
from jivsbench.app.partial import LoadStart, salvage_arms
from jivsbench.app.plans import load_duration_s
from jivsbench.app.progress import Note, Step
from jivsbench.app.rests import find_start_order, is_look, is_renewal, list_rests, needs_more_pairs
from jivsbench.app.server_access import build_server_access
from jivsbench.app.servers import Workbench
from jivsbench.app.targets import LineUp, Stack, start_target
from jivsbench.app.today import read_today
from jivsbench.config import find_feed, scenario_folders
from jivsbench.config.feeds import read_feed
from jivsbench.errors import EnvironmentProblem, InterruptedRunError, InvalidRunError, JivsbenchError, OutputError
from jivsbench.load.aborting import AbortWatch
from jivsbench.load.intervals import INTERVALS_FILENAME, read_intervals
from jivsbench.load.launcher import run_load
from jivsbench.load.monitor import MONITOR_FILENAME, Monitor
from jivsbench.load.spec import LoadArm, LoadSetup, LoadSpec
from jivsbench.model.behaviour import Capacity
from jivsbench.model.calibration import Calibration
from jivsbench.model.feed import FeedRow
from jivsbench.model.finding import CheckResult
from jivsbench.model.inputs import Inputs
from jivsbench.model.monitor_rows import MonitorFacts, ServerRecord
from jivsbench.model.profile import Profile
from jivsbench.model.record import FORMAT_VERSION, ArmRecord, BlockRow, Environment, GeneratorFacts, Plan, RunKind, RunRecord
from jivsbench.model.scenario import Question
from jivsbench.private_folders import make_private_folder
from jivsbench.report.bundle import write_plan
from jivsbench.report.manifest import MANIFEST_FILENAME


@dataclass(slots=True)
class _Measured:
    """What a run has measured so far; what is missing when it is cut short stays empty."""

    arms: tuple[ArmRecord, ...] = ()
    generator: GeneratorFacts | None = None
    checks: tuple[CheckResult, ...] = ()
    invalid: list[str] = field(default_factory=list)
    calibration: Calibration | None = None
    capacity: Capacity | None = None
    is_partial: bool = False
    aborted: str = ""
    servers: ServerRecord | None = None
    monitor: MonitorFacts | None = None

    def must_end(self, reason: str | None) -> bool:
        """Keep the reason for which a gate ends the load, if there is one."""
        self.aborted = self.aborted or reason or ""
        return bool(self.aborted)


def new_run_folder(reports_dir: Path, scenario: str) -> Path:
    """A new folder for one run, named by the moment and the scenario, so that names sort by time."""
    return new_folder(reports_dir / "runs", scenario)


def new_folder(parent: Path, subject: str) -> Path:
    """A new folder below another, named by the moment and a word. Raises OutputError."""
    folder = parent / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{subject}-{secrets.token_hex(2)}"
    try:
        make_private_folder(folder, may_exist=False)
    except OSError as exc:
        raise OutputError(
            f"the run needs the folder {folder}, which cannot be made ({exc.strerror}): choose another with --reports-dir"
        ) from exc
    return folder


def carry_out(
    bench: Workbench,
    plan: Plan,
    environment: Environment,
    security: Security,
    stacks: Sequence[Stack] = (),
    *,
    setup: LoadSetup | None = None,
) -> Outcome:
    """Carry out a plan to its reports. A run that is cut short leaves a bundle marked invalid. `stacks`: see `LineUp`.

    Raises InterruptedRunError, after the bundle is written, after Ctrl-C, SIGTERM or SIGHUP.
    """
    measured = _Measured(calibration=find_calibration(bench.settings.reports_dir, plan, bench.listener))
    folder = new_run_folder(bench.settings.reports_dir, plan.scenario.name)
    write_plan(folder, plan)
    started, clock_s = datetime.now(UTC), time.monotonic()
    interrupted = False
    try:
        _measure(bench, measured, security, LoadStart(folder, plan, environment, started), stacks, setup or LoadSetup())
    except InvalidRunError as exc:
        measured.invalid.append(str(exc))
    except KeyboardInterrupt as exc:
        interrupted = True
        measured.invalid.append(f"interrupted by {str(exc) or 'the user'} after {time.monotonic() - clock_s:.0f} s")
    if not measured.arms:
        _salvage(measured, folder)
    record = _build_record(plan, environment, measured, folder.name, (started, time.monotonic() - clock_s))
    # Whoever rendered this folder while it was measured has sealed files that were still growing.
    (folder / MANIFEST_FILENAME).unlink(missing_ok=True)
    outcome = conclude(record, folder, bench.registry, inputs=_bring(security))
    problems = bench.registry.notify_run_finished(record, outcome.summary, outcome.verdict)
    for problem in (*outcome.unwritten, *problems):
        bench.listener(Note(problem))
    if interrupted:
        raise InterruptedRunError(f"interrupted: what was measured so far is in {folder}, marked invalid")
    return replace(outcome, problems=problems)


def _salvage(measured: _Measured, folder: Path) -> None:
    """What the samples of a load say that did not come to its end. What they do not say must not hide why it ended."""
    try:
        measured.arms = salvage_arms(folder)
    except InvalidRunError as exc:
        measured.invalid.append(str(exc))
    measured.is_partial = bool(measured.arms)


def _bring(security: Security) -> Inputs | None:
    """What a judgement is given from outside: suppressions, which end with a day of the calendar."""
    if not security.suppressions:
        return None
    return Inputs(judged_on=read_today(), waivers=security.suppressions)


def _measure(  # noqa: PLR0917 - six different types, in the order of the data's flow
    bench: Workbench, measured: _Measured, security: Security, start: LoadStart, stacks: Sequence[Stack], setup: LoadSetup
) -> None:
    plan, folder = start.plan, start.folder
    work = Path(tempfile.mkdtemp(prefix="jivsbench-targets-"))
    try:
        names = " and ".join(profile.name for profile in plan.profiles)
        bench.listener(Step(f"starting the extraction service: {names}", expected_s=4))
        with (
            make_sources(plan.scenario.workload, work, folder / "sources.log") as sources,
            LineUp(
                lambda profile, stack: start_target(
                    bench, profile, work, folder / f"target-{profile.name}.log", stack=stack, host=setup.target_host
                ),
                plan.profiles,
                stacks,
                lambda target: create_on(target, sources),
            ) as line_up,
        ):
            line_up.fill(find_start_order(plan, 0))
            spec = _build_spec(bench, plan, line_up, folder, setup)
            _load(bench, measured, spec, line_up, start)
            targets = line_up.targets
            # Each plateau is a load of its own, and machines come to one load only.
            is_asked = plan.kind is RunKind.RUN and Question.CAPACITY in plan.scenario.questions
            if is_asked and not setup.meeting.machines and not measured.aborted:
                arm, target = measured.arms[-1], targets[-1]
                measured.capacity = search_capacity(plan, arm, target, spec=spec, folder=folder, listener=bench.listener)
            if security.checks and not measured.aborted:
                measured.checks = _attack(bench, targets[-1].profile, security, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _attack(bench: Workbench, profile: Profile, security: Security, folder: Path) -> tuple[CheckResult, ...]:
    """A target that does not start for the checks must not take away what the load has measured."""
    try:
        return attack(bench, profile, security, folder)
    except EnvironmentProblem as exc:
        raise InvalidRunError(f"the security checks had no target to attack ({type(exc).__name__}): see its log") from exc


def _build_spec(bench: Workbench, plan: Plan, line_up: LineUp, folder: Path, setup: LoadSetup) -> LoadSpec:
    return LoadSpec(
        arms=line_up.as_load_arms(),
        source=bench.servers.source.name,
        table_rows=plan.table_rows,
        workload=plan.scenario.workload,
        stages=plan.scenario.stages,
        blocks=plan.blocks,
        seed=plan.seed,
        intervals_path=str(folder / INTERVALS_FILENAME),
        plugins=bench.settings.plugins,
        disabled_plugins=bench.settings.disabled_plugins,
        arrival=plan.scenario.arrival,
        gaps=plan.scenario.gaps,
        in_flight_limit=plan.scenario.in_flight_limit,
        queue_limit=plan.scenario.queue_limit,
        rests=list_rests(plan),
        page_port=setup.page_port,
        meeting=setup.meeting,
        plugins_lock=str(bench.settings.plugins_lock) if bench.settings.plugins_lock else None,
        sources=plan.sources,
        feed=_read_feed(plan),
    )


def _load(bench: Workbench, measured: _Measured, spec: LoadSpec, line_up: LineUp, start: LoadStart) -> None:
    plan, folder = start.plan, start.folder
    early = "; a look may end it early" if plan.rule and len(plan.rule.looks) > 1 else ""
    bench.listener(Step(f"load: {plan.scenario.title}{early}", expected_s=load_duration_s(plan)))
    with ExitStack() as stack:
        stack.enter_context(remove_old_outputs(lambda: [target.output_dir for target in line_up.targets]))
        monitor = stack.enter_context(Monitor(spec.arms, folder / MONITOR_FILENAME, build_server_access(bench)))
        guards = {target.profile.name: target.guards for target in line_up.targets}
        on_progress = start.note(guards, follow_load(plan, monitor, bench.listener))
        # A comparison's blocks take turns, so no stretch of seconds is one arm's: its gates are judged when it is over.
        aborting = plan.scenario.gates if plan.kind is RunKind.RUN else ()
        watch = AbortWatch(aborting, plan.candidate, Path(spec.intervals_path), int(plan.scenario.duration_s))
        outcome = run_load(
            spec,
            folder,
            on_progress,
            lambda played: _rest(plan, played, line_up, monitor),
            lambda progress: measured.must_end(watch.look(progress.settled_s)),
        )
    measured.generator = outcome.generator
    measured.servers, measured.monitor = monitor.server_record(since_ns=outcome.started_ns), monitor.facts()
    totals = dict(outcome.totals)
    measured.arms = tuple(
        replace(
            build_planned_arm(
                plan,
                target.profile,
                target.guards,
                lambda: read_intervals(Path(spec.intervals_path)),
                outcome.blocks,
                totals[target.profile.name],
                monitor.rows(target.profile.name, since_ns=outcome.started_ns),
            ),
            runtime=target.stack.runtime,
            phases=monitor.phases(target.profile.name),
        )
        for target in line_up.targets
    )


def _rest(plan: Plan, played: Sequence[BlockRow], line_up: LineUp, monitor: Monitor) -> Sequence[LoadArm] | None:
    if is_look(plan, len(played)) and not needs_more_pairs(plan, played):
        return None
    if not is_renewal(plan, len(played)):
        return ()
    monitor.look_away()
    try:
        line_up.fill(find_start_order(plan, plan.blocks[len(played)].process))
    except JivsbenchError as exc:
        raise InvalidRunError(f"after {len(played)} of {len(plan.blocks)} blocks a new process was due: {exc}") from exc
    arms = line_up.as_load_arms()
    monitor.follow(arms)
    return arms


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
        calibration=measured.calibration,
        capacity=measured.capacity,
        is_partial=measured.is_partial,
        aborted=measured.aborted,
        servers=measured.servers,
        monitor=measured.monitor,
    )
    # A run that was cut short has said why; what else its fragments lack would only hide that.
    return record if record.invalid else replace(record, invalid=find_invalidities(record))
