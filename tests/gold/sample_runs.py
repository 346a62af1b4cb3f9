"""MADE-UP runs for the tests of the reporters. No figure in here was ever measured: they come from a seeded generator.

Each sample is what a reporter receives: a record, its summary and its verdict. `hostile()` carries markup where names stand.
"""

import math
import random
from dataclasses import dataclass, replace
from functools import cache

from jivsbench.analysis import judge
from jivsbench.checks.score import score
from jivsbench.config.controls import load_catalogue
from jivsbench.model import profile as profiles
from jivsbench.model.activity import StatementTotals, WaitCount
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, SecurityScore, Severity
from jivsbench.model.gate import Change, Comparator, Gate, GateOutcome, GateSeverity, Unit
from jivsbench.model.histogram import Histogram, HistogramBuilder, merge_histograms
from jivsbench.model.inputs import Inputs, Waiver, WaiverTarget
from jivsbench.model.monitor_rows import MonitorFacts, MonitorRow, ServerRecord, ServerRow
from jivsbench.model.phase_times import BOUNDS_S, DurationBucket, PhaseHistogram, PhaseTimes
from jivsbench.model.profile import LEGACY, Profile, fit_to_machine
from jivsbench.model.record import (
    ArmRecord,
    BlockRow,
    Environment,
    GeneratorFacts,
    JobTotals,
    Plan,
    PluginFacts,
    RunKind,
    RunRecord,
    SeriesRow,
)
from jivsbench.model.sample import ErrorClass, ErrorCount, OperationInterval, OperationKind
from jivsbench.model.scenario import Block, Scenario, Stage, WorkloadSpec
from jivsbench.model.summary import Effect, Figure, GateResult, Provenance, Summary, Verdict, VerdictOutcome

OPTIMIZED = fit_to_machine(profiles.OPTIMIZED, cores=2)

MIB = 1024 * 1024
SECOND_NS = 1_000_000_000
HOSTILE = '<script>document.title="owned"</script>'
HOSTILE_ATTRIBUTE = '"><img src=x onerror="document.title=\'owned\'">'
HOSTILE_TEXT = "\u202egnp.exe\x00\x1b[31m | `code` ]]> </style><svg onload=alert(1)>"
OPERATIONS = (
    ("create", OperationKind.CALL, 0.05),
    ("start", OperationKind.CALL, 0.04),
    ("wait", OperationKind.WAIT, 0.8),
    ("statistics", OperationKind.CALL, 0.03),
    ("job", OperationKind.JOB, 1.0),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a reporter is given."""

    record: RunRecord
    summary: Summary
    verdict: Verdict


GATES = (
    Gate("throughput.records", "rate", Comparator.GREATER_OR_EQUAL, 50, Unit.PERCENT, Change.IMPROVEMENT, 100),
    Gate("job.response", "p95", Comparator.GREATER_OR_EQUAL, 30, Unit.PERCENT, Change.REDUCTION, 56),
    Gate("job.response", "p95", Comparator.LESS, 250, Unit.MILLISECONDS),
    Gate("http.errors", "ratio", Comparator.LESS, 1, Unit.PERCENT),
    Gate("cache.hits", "ratio", Comparator.GREATER_OR_EQUAL, 70, Unit.PERCENT),
    Gate("target.memory", "max", Comparator.LESS_OR_EQUAL, 0, Unit.PERCENT, Change.GROWTH, severity=GateSeverity.WARN),
    Gate("findings.critical", "count", Comparator.LESS_OR_EQUAL, 0, Unit.COUNT),
)


def histogram(rng: random.Random, count: int, middle_ms: float, spread: float = 0.35) -> Histogram:
    """A log-normal set of latencies."""
    builder = HistogramBuilder()
    for _ in range(count):
        builder.record(int(middle_ms * 1e6 * math.exp(rng.gauss(0, spread))))
    return builder.build()


def build_arm(profile: Profile, rng: random.Random, *, job_ms: float, jobs_per_s: int, blocks: tuple[Block, ...]) -> ArmRecord:
    """An arm whose every block lasts 3 s, with half a second of washout."""
    series: list[SeriesRow] = []
    rows: list[BlockRow] = []
    jobs_of_run = histogram(rng, 0, 1)
    for block in (b for b in blocks if b.arm == profile.name):
        start = block.index * 3
        drift = 1.0 + 0.12 * math.sin(block.index / 3)
        for second in range(start, start + 3):
            jobs = max(0, int(jobs_per_s / drift + rng.gauss(0, jobs_per_s * 0.04)))
            latency = histogram(rng, jobs, job_ms * drift)
            jobs_of_run = merge_histograms((jobs_of_run, latency))
            series.append(
                SeriesRow(
                    second,
                    10,
                    jobs,
                    jobs * 1000,
                    jobs * 3,
                    1 if rng.random() < 0.05 else 0,
                    latency.percentile_ns(50),
                    latency.percentile_ns(95),
                    latency.percentile_ns(99),
                )
            )
        recent = series[-3:]
        count = int(sum(row.jobs for row in recent) * 2.5 / 3)
        rows.append(
            BlockRow(
                index=block.index,
                pair=block.pair,
                arm=profile.name,
                start_ns=start * SECOND_NS,
                measured_ns=start * SECOND_NS + SECOND_NS // 2,
                end_ns=(start + 3) * SECOND_NS,
                drained_ns=(start + 3) * SECOND_NS + int(job_ms * 1e6),
                jobs=count,
                rows=count * 1000,
                errors=0,
                job_mean_ns=job_ms * drift * 1.06e6,
                job_p50_ns=job_ms * drift * 1e6,
                job_p95_ns=job_ms * drift * 1.78e6,
            )
        )
    total = jobs_of_run.count
    failed = 1 if profile.name == "optimized" else 9
    return ArmRecord(
        profile=profile,
        guards=("sqlguard",),
        operations=build_operations(rng, jobs_of_run, job_ms, failed),
        all_errors=(
            ErrorCount(ErrorClass.TIMEOUT, "DEADLINE", failed),
            ErrorCount(ErrorClass.SERVER, "503", 2),
        ),
        call_count=total * 3,
        call_errors=2,
        job_errors=failed,
        totals=JobTotals(total, total - failed, 0, failed, 0, (total - failed) * 1000, (total - failed) * 1000),
        series=tuple(series),
        monitor=build_monitor(rng, profile, len(blocks) * 3 if blocks else 0, total),
        blocks=tuple(rows),
    )


def build_operations(rng: random.Random, jobs: Histogram, job_ms: float, failed: int) -> tuple[OperationInterval, ...]:
    """Totals per operation; the job's histogram is the run's own."""
    operations = []
    for name, kind, share in OPERATIONS:
        response = jobs if kind is OperationKind.JOB else histogram(rng, jobs.count, job_ms * share)
        lag = histogram(rng, jobs.count, 0.06, 0.5)
        errors = (ErrorCount(ErrorClass.TIMEOUT, "DEADLINE", failed),) if kind is OperationKind.JOB and failed else ()
        rows = jobs.count * 1000 if kind is OperationKind.JOB else 0
        operations.append(OperationInterval(name, kind, jobs.count, rows, errors, response, response, lag))
    return tuple(operations)


def build_monitor(rng: random.Random, profile: Profile, seconds: int, lookups: int) -> tuple[MonitorRow, ...]:
    """One row a second; three seconds in the middle could not be read."""
    is_cached = profile.switches.cache
    rows = []
    for second in range(seconds):
        is_lost = seconds // 2 <= second < seconds // 2 + 3
        grown = (118 if is_cached else 176) + 14 * (1 - math.exp(-second / 8)) + rng.random() * 1.5
        done = lookups * second // seconds
        hits = int(done * 0.94) if is_cached else None
        rows.append(
            MonitorRow(
                second=second + 0.02,
                rss_bytes=None if is_lost else int((grown + 22) * MIB),
                pss_bytes=None if is_lost else int(grown * MIB),
                cpu_s=None if is_lost else second * (1.12 if is_cached else 0.64),
                threads=28,
                handles=64,
                pool_active=None if is_lost else (8 + rng.randrange(3) if profile.switches.pool else None),
                pool_idle=None if is_lost else (rng.randrange(3) if profile.switches.pool else None),
                pool_waiting=None if is_lost else (rng.randrange(2) if profile.switches.pool else None),
                cache_hits=None if is_lost else hits,
                cache_misses=None if is_lost or hits is None else done - hits,
            )
        )
    return tuple(rows)


def build_blocks(pairs: int, seed: int) -> tuple[Block, ...]:
    """Two blocks a pair, in an order that the seed decides."""
    rng = random.Random(seed)
    blocks = []
    for pair in range(pairs):
        arms = ["legacy", "optimized"]
        rng.shuffle(arms)
        blocks.extend(Block(2 * pair + place, pair, arm, 0.5) for place, arm in enumerate(arms))
    return tuple(blocks)


def build_plan(kind: RunKind, profiles: tuple[Profile, ...], blocks: tuple[Block, ...], gates: tuple[Gate, ...]) -> Plan:
    """The baseline scenario, shrunk to a twentieth."""
    return Plan(
        kind=kind,
        scenario=Scenario(
            "baseline",
            "Baseline: the reference that others are compared with",
            WorkloadSpec("extraction", "jivsbench_rows", 1000, "id", 0.0),
            (Stage(3.0, 10, is_step=True), Stage(15.0, 10)),
            gates,
        ),
        profiles=profiles,
        blocks=blocks,
        seed=20260,
        time_scale=0.05,
        table_rows=100_000,
        source_label="postgres, 127.0.0.1:5432, jivsbench",
        cache_label="redis, 127.0.0.1:6379",
    )


def build_environment() -> Environment:
    """A machine that does not exist."""
    return Environment(
        jivsbench_version="0.1.0",
        python_version="3.12.4",
        platform="Linux 6.8 x86_64",
        cpu_model="Made-up CPU, 2.5 GHz",
        cpu_count=2,
        memory_bytes=8 * 1024 * MIB,
        load_average_1m=0.31,
        source_server="PostgreSQL 18.1",
        cache_server="Valkey 9.1.0",
        plugins=(
            PluginFacts(
                "jivsbench-postgres", "0.1.0", "jivsbench-postgres 0.1.0", ("jivsbench_register_connectors",), ("postgres",)
            ),
            PluginFacts("jivsbench-sqlguard", "0.1.0", "jivsbench-sqlguard 0.1.0", ("jivsbench_register_guards",), ("sqlguard",)),
        ),
        git_commit="0123456789abcdef0123456789abcdef01234567",
    )


def build_checks() -> tuple[CheckResult, ...]:
    """Five checks, each with another outcome but FAIL."""
    passed = CheckOutcome.PASS
    return (
        CheckResult(
            "SEC-001",
            "A filter value never becomes part of the statement",
            Severity.CRITICAL,
            passed,
            "",
            5200,
            5200,
            3,
            3,
            (),
            20260,
            8.4,
            ("CWE-89",),
        ),
        CheckResult(
            "SEC-003",
            "The guard refuses hostile queries",
            Severity.CRITICAL,
            passed,
            "",
            172,
            172,
            185,
            185,
            (),
            20260,
            2.1,
            ("CWE-184",),
        ),
        CheckResult(
            "SEC-008",
            "A returned connection is like a fresh one",
            Severity.HIGH,
            CheckOutcome.INVALID,
            "the deliberately vulnerable pool was not caught",
            12,
            12,
            1,
            1,
            (),
            20260,
            1.3,
            ("CWE-668",),
        ),
        CheckResult(
            "SEC-017",
            "The cache is reached over TLS alone",
            Severity.MEDIUM,
            CheckOutcome.NOT_TESTED,
            "the cache server has no TLS",
            cwe=("CWE-319",),
        ),
        CheckResult(
            "SEC-014",
            "Archives cannot fill the memory",
            Severity.HIGH,
            CheckOutcome.NOT_APPLICABLE,
            "no file connector is loaded",
        ),
    )


def guard_finding() -> CheckResult:
    """What a run without a guard always carries."""
    return CheckResult(
        "SEC-001",
        "A SQL guard reviews every request",
        Severity.CRITICAL,
        CheckOutcome.FAIL,
        "the profile says guards = []",
        1,
        1,
        1,
        1,
        (
            Finding(
                "SEC-001",
                Severity.CRITICAL,
                "No SQL guard is in force",
                "GET /api/v1/profile answered guards = []; every raw query reaches the database",
                'POST /api/v1/extractions {"source": "rows", "query": "select pg_sleep(1)"}',
            ),
        ),
        20260,
        0.1,
        ("CWE-89",),
    )


def build_figures(arm: ArmRecord, checks: tuple[CheckResult, ...]) -> tuple[Figure, ...]:
    """The figures of one arm, by the simplest arithmetic."""
    name = arm.profile.name
    job = next((op for op in arm.operations if op.kind is OperationKind.JOB), None)
    calls = merge_histograms(op.response for op in arm.operations if op.kind is OperationKind.CALL)
    jobs = job.response if job else Histogram()
    measured_s = sum(b.end_ns - b.measured_ns for b in arm.blocks) / 1e9
    done = sum(b.rows for b in arm.blocks)
    pss = [row.pss_bytes for row in arm.monitor if row.pss_bytes is not None]
    last = next((row for row in reversed(arm.monitor) if row.cache_hits is not None), None)
    lookups = (last.cache_hits or 0) + (last.cache_misses or 0) if last else 0
    nothing = "no job ended in a measured phase"

    def figure(  # noqa: PLR0917 - a row of a table
        metric: str, statistic: str, value: float | None, unit: Unit, samples: int, method: str
    ) -> Figure:
        provenance = Provenance.MEASURED if metric.endswith("response") else Provenance.DERIVED
        return Figure(name, metric, statistic, value, unit, samples, provenance, method)

    latencies = [
        figure(
            metric,
            f"p{p}",
            None if not h.count else (h.percentile_ns(p) or 0) / 1e6,
            Unit.MILLISECONDS,
            h.count,
            "merged histograms",
        )
        for metric, h in (("job.response", jobs), ("http.response", calls))
        for p in (50, 95, 99)
    ]
    rate = done / measured_s * 60 if measured_s else None
    errors = 100 * arm.job_errors / arm.totals.created if arm.totals.created else None
    return (
        figure(
            "throughput.records",
            "rate",
            rate,
            Unit.RECORDS_PER_MINUTE,
            len(arm.blocks),
            "rows / measured time" if rate else nothing,
        ),
        *latencies,
        figure(
            "job.errors", "ratio", errors, Unit.PERCENT, arm.totals.created, "failed / created" if errors is not None else nothing
        ),
        figure(
            "http.errors",
            "ratio",
            100 * arm.call_errors / arm.call_count if arm.call_count else None,
            Unit.PERCENT,
            arm.call_count,
            "failed / sent",
        ),
        figure(
            "cache.hits",
            "ratio",
            100 * (last.cache_hits or 0) / lookups if last and lookups else None,
            Unit.PERCENT,
            lookups,
            "hits / look-ups" if lookups else "the profile has no cache",
        ),
        figure("target.memory", "max", max(pss) / MIB if pss else None, Unit.MEBIBYTES, len(pss), "PSS of the process tree"),
        figure(
            "target.cpu", "mean", (1.12 if lookups else 0.64) if pss else None, Unit.CORES, len(pss), "CPU seconds per second"
        ),
        figure(
            "rows.lost",
            "count",
            float(arm.totals.rows_read - arm.totals.rows_written),
            Unit.COUNT,
            arm.totals.completed,
            "read - written",
        ),
        figure(
            "findings.critical", "count", float(count_open(checks)), Unit.COUNT, len(checks), "failed checks of severity CRITICAL"
        ),
    )


def count_open(checks: tuple[CheckResult, ...]) -> int:
    """Open CRITICAL findings."""
    return sum(c.outcome is CheckOutcome.FAIL and c.severity is Severity.CRITICAL for c in checks)


def build_effects(baseline: tuple[Figure, ...], candidate: tuple[Figure, ...]) -> tuple[Effect, ...]:
    """Plain ratios with a made-up interval of 3 % to either side."""
    effects = []
    for before, after in zip(baseline, candidate, strict=True):
        if (
            before.value
            and after.value
            and (before.metric, before.statistic)
            in {
                ("throughput.records", "rate"),
                ("job.response", "p50"),
                ("job.response", "p95"),
            }
        ):
            ratio = after.value / before.value
            effects.append(
                Effect(
                    before.metric,
                    before.statistic,
                    before.arm,
                    after.arm,
                    ratio,
                    ratio * 0.97,
                    ratio * 1.03,
                    0.95,
                    12,
                    "Hodges-Lehmann, Wilcoxon",
                )
            )
        elif before.value and after.value and not before.metric.endswith("response"):
            plain = "plain ratio of one figure per arm; no interval"
            effects.append(
                Effect(
                    before.metric, before.statistic, before.arm, after.arm, after.value / before.value, None, None, 0.95, 0, plain
                )
            )
    effects.append(
        Effect("job.response", "mean", "legacy", "optimized", 0.152, 0.148, 0.157, 0.95, 12, "Hodges-Lehmann, Wilcoxon")
    )
    return tuple(effects)


def result(  # noqa: PLR0917 - a row of a table
    gate: Gate, outcome: GateOutcome, value: float | None, reason: str, low: float | None = None, high: float | None = None
) -> GateResult:
    """One judged gate with a text of its own."""
    change = f" {gate.change}" if gate.change else ""
    goal = f" goal {gate.goal:g} {gate.unit}" if gate.goal else ""
    unit = "" if gate.unit is Unit.COUNT else f" {gate.unit}"
    severity = " warn" if gate.severity is GateSeverity.WARN else ""
    text = f"{gate.metric} {gate.statistic}{change} {gate.comparator} {gate.limit:g}{unit}{goal}{severity}"
    return GateResult(gate, text, outcome, value, low, high, reason)


def build_record(
    plan: Plan, arms: tuple[ArmRecord, ...], checks: tuple[CheckResult, ...], invalid: tuple[str, ...] = ()
) -> RunRecord:
    """A record with the generator and the score that fit."""
    failed = sum(c.outcome is CheckOutcome.FAIL for c in checks)
    score = SecurityScore(0.0 if failed else 87.0, "F" if failed else "A-", 2, failed, 1, 1) if checks else None
    return RunRecord(
        format_version=1,
        run_id="20300102-030405-baseline",
        started_at="2030-01-02T03:04:05+00:00",
        duration_s=75.25,
        plan=plan,
        environment=build_environment(),
        arms=arms,
        generator=GeneratorFacts(0.412, 480_000.0, 10, 10, 26_400, 72.0),
        checks=checks,
        score=score,
        invalid=invalid,
    )


@cache
def comparison() -> Sample:
    """Legacy against optimized: every gate green."""
    rng = random.Random(1)
    blocks = build_blocks(12, 7)
    plan = build_plan(RunKind.COMPARISON, (LEGACY, OPTIMIZED), blocks, GATES)
    legacy = build_arm(LEGACY, rng, job_ms=212, jobs_per_s=46, blocks=blocks)
    optimized = build_arm(OPTIMIZED, rng, job_ms=31, jobs_per_s=298, blocks=blocks)
    checks = build_checks()
    before, after = build_figures(legacy, checks), build_figures(optimized, checks)
    met, exceeded = GateOutcome.MET, GateOutcome.EXCEEDED
    summary = Summary(before + after, build_effects(before, after))
    value = {(figure.metric, figure.statistic): figure.value or 0.0 for figure in after}
    verdict = Verdict(
        VerdictOutcome.PASSED,
        (
            result(GATES[0], exceeded, 547.2, "", 528.1, 566.9),
            result(GATES[1], exceeded, 85.1, "", 84.2, 85.9),
            result(GATES[2], met, value["job.response", "p95"], ""),
            result(GATES[3], met, value["http.errors", "ratio"], ""),
            result(GATES[4], met, value["cache.hits", "ratio"], ""),
            result(GATES[5], met, -30.4, ""),
            result(GATES[6], met, 0.0, ""),
        ),
        (),
        (),
    )
    return Sample(build_record(plan, (legacy, optimized), checks), summary, verdict)


@cache
def one_arm() -> Sample:
    """A run of one profile that misses two gates."""
    rng = random.Random(2)
    blocks = tuple(Block(index, index, "optimized", 0.5) for index in range(20))
    gates = GATES[2:5]
    plan = build_plan(RunKind.RUN, (OPTIMIZED,), blocks, gates)
    arm = replace(build_arm(OPTIMIZED, rng, job_ms=210, jobs_per_s=96, blocks=blocks), phases=build_phase_times())
    verdict = Verdict(
        VerdictOutcome.FAILED,
        (
            result(gates[0], GateOutcome.FAILED, 368.6214, "368.62 ms is not below 250 ms"),
            result(gates[1], GateOutcome.MET, 0.036, ""),
            result(gates[2], GateOutcome.INCONCLUSIVE, 94.0, "the interval crosses the limit"),
        ),
        ("job.response p95 < 250 ms: 368.62 ms is not below 250 ms", "cache.hits ratio >= 70 %: the interval crosses the limit"),
        (),
    )
    record = replace(
        build_record(plan, (arm,), build_checks()), servers=build_servers(), monitor=MonitorFacts(61, 1, 0.012, 0.004)
    )
    return Sample(record, Summary(build_figures(arm, build_checks()), ()), verdict)


def build_phase_times(phases: tuple[str, ...] = ("guard", "fetch", "encode")) -> PhaseTimes:
    """300 jobs, of which three took a second and spent it in the second phase."""
    usual, slow = BOUNDS_S.index(0.25), BOUNDS_S.index(1.0)
    histograms = [[0] * (len(BOUNDS_S) + 1) for _ in phases]
    for place, counts in enumerate(histograms):
        counts[BOUNDS_S.index(0.1)] = 297 if place == 1 else 300
    histograms[1][slow] = 3
    return PhaseTimes(
        tuple(PhaseHistogram(phase, tuple(counts), 30.0) for phase, counts in zip(phases, histograms, strict=True)),
        (
            DurationBucket(BOUNDS_S[usual], 297, tuple((phase, 20.0) for phase in phases)),
            DurationBucket(BOUNDS_S[slow], 3, ((phases[0], 0.1), (phases[1], 2.7), (phases[2], 0.2))),
        ),
    )


def build_servers(kind: str = "LWLock", told: str = "what others do: grant pg_monitor to this user") -> ServerRecord:
    """A minute of looks at a database and a cache."""
    waits = (WaitCount(kind, "WALWrite", 2), WaitCount("running", "running", 1))
    rows = tuple(ServerRow(second, 7, 6, waits, 4 * MIB, second * 50, 9, 0, 3) for second in range(60))
    totals = (StatementTotals("COPY 42", 300, 5_200.5, 1_500_000), StatementTotals("BEGIN 7", 300, 2.25, 0))
    return ServerRecord(rows, totals, (told,))


@cache
def conditional() -> Sample:
    """The comparison with a missed warning: approved with a condition."""
    sample = comparison()
    gates = list(sample.verdict.gates)
    reason = "memory grew by 4.2 %"
    gates[5] = replace(gates[5], outcome=GateOutcome.FAILED, value=4.2, reason=reason)
    verdict = Verdict(
        VerdictOutcome.CONDITIONAL,
        tuple(gates),
        (f"target.memory max growth <= 0 % warn: {reason}",),
        ("Staging yes; production after memory no longer grows (target.memory max growth <= 0 %)",),
    )
    return replace(sample, verdict=verdict)


@cache
def invalid() -> Sample:
    """A comparison whose load generator was saturated."""
    sample = comparison()
    reasons = (
        "the load generator used 97 % of its core (limit 85 %)",
        "the load generator sent its calls 12.4 ms late at p99 (limit 3.1 ms)",
    )
    generator = GeneratorFacts(0.97, 12_400_000.0, 10, 10, 26_400, 72.0)
    record = replace(sample.record, generator=generator, invalid=reasons)
    return Sample(record, sample.summary, Verdict(VerdictOutcome.INVALID, sample.verdict.gates, reasons, ()))


@cache
def no_data() -> Sample:
    """A run in which the target never finished a job."""
    plan = build_plan(RunKind.RUN, (OPTIMIZED,), (Block(0, 0, "optimized", 0.5),), GATES[2:5])
    arm = ArmRecord(OPTIMIZED, (), (), (), 0, 0, 0, JobTotals(0, 0, 0, 0, 0, 0, 0), (), (), ())
    record = replace(build_record(plan, (arm,), ()), generator=None)
    reason = "no job ended in a measured phase"
    verdict = Verdict(
        VerdictOutcome.FAILED,
        tuple(result(gate, GateOutcome.NO_DATA, None, reason) for gate in GATES[2:5]),
        tuple(f"{gate.metric} {gate.statistic}: {reason}" for gate in GATES[2:5]),
        (),
    )
    return Sample(record, Summary(build_figures(arm, ()), ()), verdict)


@cache
def guards_empty() -> Sample:
    """The comparison with `guards = []`: fast, and open."""
    sample = comparison()
    profile = replace(OPTIMIZED, guards=())
    baseline, candidate = sample.record.arms
    checks = (guard_finding(), *sample.record.checks[1:])
    plan = replace(sample.record.plan, profiles=(LEGACY, profile))
    record = build_record(plan, (baseline, replace(candidate, profile=profile, guards=())), checks)
    reason = "1 open CRITICAL finding: SEC-001"
    gates = (*sample.verdict.gates[:6], replace(sample.verdict.gates[6], outcome=GateOutcome.FAILED, value=1.0, reason=reason))
    return Sample(record, sample.summary, Verdict(VerdictOutcome.FAILED, gates, (f"findings.critical count <= 0: {reason}",), ()))


@cache
def hostile() -> Sample:
    """The run without a guard, with markup in every name and text that others choose."""
    sample = guards_empty()
    plan, environment = sample.record.plan, sample.record.environment
    scenario = replace(
        plan.scenario,
        name=HOSTILE,
        title=HOSTILE_ATTRIBUTE,
        workload=replace(plan.scenario.workload, name=HOSTILE, table=HOSTILE_ATTRIBUTE),
    )
    names = {"legacy": f"legacy{HOSTILE}", "optimized": f"optimized{HOSTILE_ATTRIBUTE}"}
    profiles = tuple(replace(profile, name=names[profile.name]) for profile in plan.profiles)
    blocks = tuple(replace(block, arm=names[block.arm]) for block in plan.blocks)
    plan = replace(plan, scenario=scenario, profiles=profiles, blocks=blocks, source_label=HOSTILE, cache_label=HOSTILE_TEXT)
    arms = tuple(_spoil_arm(arm, names) for arm in sample.record.arms)
    checks = tuple(_spoil_check(check) for check in sample.record.checks)
    plugin = PluginFacts(HOSTILE, HOSTILE_ATTRIBUTE, HOSTILE_TEXT, (HOSTILE,), (HOSTILE_ATTRIBUTE,))
    environment = replace(environment, cpu_model=HOSTILE, source_server=HOSTILE_ATTRIBUTE, plugins=(plugin,), git_commit=HOSTILE)
    record = replace(
        sample.record,
        run_id=HOSTILE,
        plan=plan,
        environment=environment,
        arms=arms,
        checks=checks,
        servers=build_servers(HOSTILE, HOSTILE_ATTRIBUTE),
    )
    figures = tuple(replace(figure, arm=names[figure.arm], method=HOSTILE) for figure in sample.summary.figures)
    effects = tuple(
        replace(effect, baseline=names[effect.baseline], candidate=names[effect.candidate], method=HOSTILE_TEXT)
        for effect in sample.summary.effects
    )
    gates = tuple(replace(gate, text=HOSTILE, reason=HOSTILE_ATTRIBUTE) for gate in sample.verdict.gates)
    verdict = Verdict(VerdictOutcome.FAILED, gates, (HOSTILE, HOSTILE_TEXT), (HOSTILE_ATTRIBUTE,))
    return Sample(record, Summary(figures, effects), verdict)


def _spoil_arm(arm: ArmRecord, names: dict[str, str]) -> ArmRecord:
    name = names[arm.profile.name]
    return replace(
        arm,
        profile=replace(arm.profile, name=name),
        operations=tuple(
            replace(op, operation=f"{op.operation}{HOSTILE}", errors=(ErrorCount(ErrorClass.SERVER, HOSTILE_TEXT, 1),))
            for op in arm.operations
        ),
        all_errors=(ErrorCount(ErrorClass.SERVER, HOSTILE, 2), ErrorCount(ErrorClass.CLIENT, HOSTILE_ATTRIBUTE, 1)),
        blocks=tuple(replace(block, arm=name) for block in arm.blocks),
        phases=build_phase_times((HOSTILE, HOSTILE_ATTRIBUTE, HOSTILE_TEXT)),
    )


def _spoil_check(check: CheckResult) -> CheckResult:
    finding = Finding(HOSTILE, Severity.CRITICAL, HOSTILE_ATTRIBUTE, HOSTILE_TEXT, f"```\n{HOSTILE}\n```")
    return replace(check, title=HOSTILE, reason=HOSTILE_ATTRIBUTE, findings=(finding,) if check.findings else (), cwe=(HOSTILE,))


def script_checks() -> tuple[CheckResult, ...]:
    """A result for each check of the catalogue: most PASS, five with findings, some without an answer."""
    outcomes = {
        16: CheckOutcome.NOT_TESTED,
        17: CheckOutcome.NOT_TESTED,
        14: CheckOutcome.NOT_APPLICABLE,
        8: CheckOutcome.INVALID,
    }
    reasons = {
        CheckOutcome.NOT_TESTED: "the server of this machine has no TLS, so there is nothing to be refused",
        CheckOutcome.NOT_APPLICABLE: "no connector for files is loaded",
        CheckOutcome.INVALID: "its control 'stock-pool' ended PASS instead of FAIL: 12 of 12 sessions were clean",
        CheckOutcome.PASS: "every answer was as it should be",
    }
    results = []
    for number, facts in enumerate(load_catalogue().checks, 1):
        findings = _script_findings(facts.check_id, facts.severity, number)
        outcome = CheckOutcome.FAIL if findings else outcomes.get(number, CheckOutcome.PASS)
        reason = f"holes found: {len(findings)}" if findings else reasons[outcome]
        sent = 40 + 97 * number % 611 if outcome in (CheckOutcome.PASS, CheckOutcome.FAIL) else 0
        cwe = facts.rows_of("cwe")
        result = CheckResult(facts.check_id, f"{facts.title}: nothing gets through", facts.severity, outcome, reason)
        results.append(
            replace(
                result, attempted=sent, reached=sent, benign_before=3, benign_after=3, findings=findings, seed=20260,
                duration_s=0.1 * (number % 17), cwe=cwe,
            )
        )  # fmt: skip
    return tuple(results)


def _script_findings(check_id: str, severity: Severity, number: int) -> tuple[Finding, ...]:
    count = {5: 2, 11: 1, 13: 3, 27: 1}.get(number, 0)
    return tuple(
        Finding(
            check_id,
            severity,
            f"attack {place} of {check_id} got through",
            f"the source answered with {17 * place} rows that nobody asked for",
            f'POST /api/v1/extractions {{"source": "rows", "query": "select query_to_xml($$select {place}$$, true, true)"}}',
        )
        for place in range(1, count + 1)
    )


@cache
def all_checks() -> Sample:
    """A run with a result of every listed check, of whose findings one CRITICAL and the one of a HIGH check are suppressed."""
    sample = one_arm()
    checks = script_checks()
    record = replace(sample.record, checks=checks, score=score(checks))
    accepted = [check.findings[0] for check in checks if check.check_id in ("SEC-005", "SEC-011")]
    waivers = tuple(
        Waiver(WaiverTarget.FINDING, finding.fingerprint, "ops@example.org", "closed by the next release", "2030-12-31")
        for finding in accepted
    )
    gates = tuple(judged.gate for judged in sample.verdict.gates)
    return Sample(record, sample.summary, judge(record, sample.summary, gates, Inputs("2030-06-15", waivers=waivers)))


SAMPLES = {
    "all_checks": all_checks,
    "comparison": comparison,
    "one_arm": one_arm,
    "conditional": conditional,
    "invalid": invalid,
    "no_data": no_data,
    "guards_empty": guards_empty,
    "hostile": hostile,
}
