"""Small hand-made records whose figures can be computed in the head. Nothing in here was measured."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench.model.histogram import Histogram, HistogramBuilder
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.profile import LEGACY, OPTIMIZED, Profile
from jivsbench.model.record import ArmRecord, BlockRow, Environment, GeneratorFacts, JobTotals, Plan, RunKind, RunRecord
from jivsbench.model.sample import OperationInterval, OperationKind
from jivsbench.model.scenario import Block, Scenario, Stage, WorkloadSpec

MS = 1_000_000
SECOND = 1_000_000_000
MIB = 1024 * 1024
OPERATIONS = ("create", "start", "wait", "statistics", "job")


def build_histogram(values_ms: Iterable[float]) -> Histogram:
    """A histogram of durations in ms."""
    builder = HistogramBuilder()
    for value_ms in values_ms:
        builder.record(round(value_ms * MS))
    return builder.build()


def build_operation(operation: str, kind: OperationKind, values_ms: Sequence[float], rows: int = 0) -> OperationInterval:
    """An operation without lag or errors: service = response."""
    response = build_histogram(values_ms)
    return OperationInterval(
        operation, kind, len(values_ms), rows, (), response, response, build_histogram([0.0] * len(values_ms))
    )


def build_block(arm: str, pair: int, jobs: int = 10, job_ms: float | None = 100.0, measured_s: float = 1.0) -> BlockRow:
    """A block of `measured_s` after a washout of 0.5 s, with jobs of 1,000 rows that all took `job_ms`."""
    start_ns = pair * 10 * SECOND
    measured_ns = start_ns + SECOND // 2
    end_ns = measured_ns + round(measured_s * SECOND)
    job_ns = None if job_ms is None else job_ms * MS
    return BlockRow(pair, pair, arm, start_ns, measured_ns, end_ns, end_ns, jobs, jobs * 1000, 0, job_ns, job_ns, job_ns)


def build_look(
    second: float, *, pss_mib: float | None = 100.0, cpu_s: float | None = 1.0, hits: int | None = 0, misses: int | None = 0
) -> MonitorRow:
    """One look at a target whose RSS is 50 MiB above its PSS."""
    pss = None if pss_mib is None else round(pss_mib * MIB)
    rss = None if pss is None else pss + 50 * MIB
    return MonitorRow(second, rss, pss, cpu_s, 8, 20, 1, 1, 0, hits, misses)


def build_totals(created: int = 100, failed: int = 0) -> JobTotals:
    """Jobs of 1,000 rows each, conserved, no row lost."""
    completed = created - failed
    return JobTotals(created, completed, failed, 0, 0, completed * 1000, completed * 1000)


def build_arm_record(profile: Profile = OPTIMIZED, *, pairs: int = 1, jobs: int = 10, job_ms: float = 100.0) -> ArmRecord:
    """A healthy arm: 100 calls of 1 to 100 ms, 100 jobs, 90 % cache hits, 120 MiB at most, half a core."""
    calls = build_operation("create", OperationKind.CALL, [float(n) for n in range(1, 101)])
    return ArmRecord(
        profile=profile,
        guards=("sqlguard",),
        operations=(calls, build_operation("job", OperationKind.JOB, [job_ms] * 100, 100_000)),
        all_errors=(),
        call_count=1000,
        call_errors=0,
        job_errors=0,
        totals=build_totals(),
        series=(),
        monitor=(
            build_look(0),
            build_look(1, pss_mib=120, cpu_s=1.4, hits=40, misses=10),
            build_look(2, cpu_s=2, hits=90, misses=10),
        ),
        blocks=tuple(build_block(profile.name, pair, jobs, job_ms) for pair in range(pairs)),
    )


def build_check(
    check_id: str = "SEC-002",
    severity: Severity = Severity.HIGH,
    outcome: CheckOutcome = CheckOutcome.PASS,
    findings: Sequence[Severity] = (),
) -> CheckResult:
    """The end of one security check, with findings of the given severities."""
    holes = tuple(Finding(check_id, found, "hole", "evidence", "request") for found in findings)
    return CheckResult(check_id, "no hole", severity, outcome, "because", 10, 10, 1, 1, holes)


def build_record(*arms: ArmRecord, checks: Sequence[CheckResult] | None = None, invalid: tuple[str, ...] = ()) -> RunRecord:
    """A valid record of these arms (one: a run; two: a comparison) with one passed check, unless told otherwise."""
    blocks = tuple(Block(block.index, block.pair, block.arm, 0.5) for arm in arms for block in arm.blocks)
    kind = RunKind.COMPARISON if len(arms) > 1 else RunKind.RUN
    scenario = Scenario("tiny", "Tiny", WorkloadSpec("extraction", "bench", 1000), (Stage(1.0, 10, is_step=True),), ())
    profiles = tuple(arm.profile for arm in arms) or (OPTIMIZED,)
    return RunRecord(
        format_version=1,
        run_id="20250101-000000-tiny",
        started_at="2025-01-01T00:00:00Z",
        duration_s=10.0,
        plan=Plan(kind, scenario, profiles, blocks, 1, 1.0, 1000, "sqlite file", "memory"),
        environment=Environment("0", "3.11", "Linux", "cpu", 2, 8 * 1024 * MIB, 0.1, "sqlite", "memory", ()),
        arms=arms,
        generator=GeneratorFacts(0.4, 1.0 * MS, 10, 10, 1000, 10.0),
        checks=(build_check(),) if checks is None else tuple(checks),
        score=None,
        invalid=invalid,
    )


def build_comparison(pairs: int = 12, *, speedup: float = 2.0) -> RunRecord:
    """Legacy against optimized, where every pair shows the same speed-up of jobs and the same gain of throughput."""
    baseline = build_arm_record(LEGACY, pairs=pairs, jobs=10, job_ms=100.0)
    candidate = build_arm_record(OPTIMIZED, pairs=pairs, jobs=round(10 * speedup), job_ms=100.0 / speedup)
    return build_record(baseline, candidate)


def change_arm(record: RunRecord, **changes: object) -> RunRecord:
    """The record with fields of its last arm replaced."""
    return replace(record, arms=(*record.arms[:-1], replace(record.arms[-1], **changes)))
