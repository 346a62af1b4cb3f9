"""A run that nobody measured, with texts that others chose in every field that holds a text: to see what reports make of them.

Never offered as a result: it is rendered into a folder of a check's own, and gone with it.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from jivsbench import __version__
from jivsbench.model.activity import StatementTotals, WaitCount
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, SecurityScore, Severity
from jivsbench.model.gate import Comparator, Gate, Unit
from jivsbench.model.histogram import Histogram, HistogramBuilder
from jivsbench.model.monitor_rows import MonitorFacts, MonitorRow, ServerRecord, ServerRow
from jivsbench.model.profile import LEGACY, OPTIMIZED
from jivsbench.model.record import (
    FORMAT_VERSION,
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
from jivsbench.model.scenario import Block, OfferedSource, Scenario, SourceKind, Stage, WorkloadSpec

_BLOCK_S: Final = 3
_JOBS_A_SECOND: Final = 20
_SECOND_NS: Final = 1_000_000_000
_MIB: Final = 1 << 20
_KEPT: Final = frozenset({"started_at", "metric", "statistic", "operation"})
"""Texts that the host itself wrote and reads back: a time, and what names figures."""
_ORDER: Final = ("legacy", "optimized", "optimized", "legacy")


def build_specimen(texts: Sequence[str], source_label: str, cache_label: str) -> RunRecord:
    """A comparison whose every text is one of `texts`: each of them at least once, names that belong together alike."""
    record = replace(_build_record(), checks=tuple(_build_check(text) for text in texts))
    plugins = tuple(PluginFacts(text, text, text, (text,), (text,)) for text in texts)
    record = replace(record, environment=replace(record.environment, plugins=plugins))
    chosen = itertools.cycle(texts)
    spoiled = _spoil(record, _Choice(chosen, frozenset(texts)))
    assert isinstance(spoiled, RunRecord)
    plan = spoiled.plan
    # The labels stay readable behind the text: what the host itself says of its servers is looked at too.
    plan = replace(plan, source_label=f"{next(chosen)} {source_label}", cache_label=f"{next(chosen)} {cache_label}")
    return replace(spoiled, plan=plan)


class _Choice:
    """The same text for the same name, so that what refers to a name still finds it."""

    def __init__(self, texts: Iterator[str], kept: frozenset[str]) -> None:
        self._texts = texts
        self._kept = kept
        self._given: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if not name or name in self._kept:
            return name
        if name not in self._given:
            taken = set(self._given.values())
            # Two arms of one name would be one arm.
            self._given[name] = next((text for text in itertools.islice(self._texts, len(self._kept)) if text not in taken), name)
        return self._given[name]


def _spoil(value: Any, choose: _Choice) -> Any:
    if type(value) is str:
        return choose(value)
    if isinstance(value, tuple):
        return tuple(_spoil(part, choose) for part in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed: Mapping[str, Any] = {
        one.name: _spoil(getattr(value, one.name), choose)
        for one in fields(value)
        if one.name not in _KEPT and not isinstance(getattr(value, one.name), int | float)
    }
    return replace(value, **changed)


def _build_record() -> RunRecord:
    profiles = (LEGACY, OPTIMIZED)
    blocks = tuple(Block(index, index // 2, arm, 0.5) for index, arm in enumerate(_ORDER))
    gates = (
        Gate("throughput.records", "rate", Comparator.GREATER, 1e12, Unit.RECORDS_PER_MINUTE),
        Gate("http.errors", "ratio", Comparator.LESS, 1, Unit.PERCENT),
    )
    workload = WorkloadSpec("extraction", "bench_rows", 1000, "id")
    scenario = Scenario("specimen", "a specimen", workload, (Stage(float(_BLOCK_S), 10),), gates)
    plan = Plan(
        kind=RunKind.COMPARISON,
        scenario=scenario,
        profiles=profiles,
        blocks=blocks,
        seed=1,
        time_scale=1.0,
        table_rows=1000,
        source_label="source",
        cache_label="cache",
        sources=(OfferedSource(SourceKind.FILES, "files", "files of the run"),),
    )
    return RunRecord(
        format_version=FORMAT_VERSION,
        run_id="specimen",
        started_at="2000-01-01T00:00:00+00:00",
        duration_s=float(_BLOCK_S * len(blocks)),
        plan=plan,
        environment=_build_environment(),
        arms=tuple(_build_arm(number, blocks) for number in range(len(profiles))),
        generator=GeneratorFacts(0.4, 480_000.0, 10, 10, 2400, float(_BLOCK_S * len(blocks))),
        checks=(),
        score=SecurityScore(0.0, "F", 0, 1, 0, 0),
        invalid=(),
        servers=_build_servers(),
        monitor=MonitorFacts(12, 0, 0.01, 0.004),
    )


def _build_environment() -> Environment:
    return Environment(
        jivsbench_version=__version__,
        python_version="3",
        platform="platform",
        cpu_model="processor",
        cpu_count=2,
        memory_bytes=_MIB << 13,
        load_average_1m=0.3,
        source_server="source server",
        cache_server="cache server",
        plugins=(),
        git_commit="commit",
    )


def _build_servers() -> ServerRecord:
    waits = (WaitCount("kind of wait", "event of wait", 2),)
    rows = tuple(ServerRow(float(second), 7, 6, waits, 4 * _MIB, second * 50, 9, 0, 3) for second in range(2 * _BLOCK_S))
    return ServerRecord(rows, (StatementTotals("statement", 300, 5200.5, 1_500_000),), ("what was not told",))


def _build_check(text: str) -> CheckResult:
    finding = Finding(text, Severity.CRITICAL, text, text, text)
    return CheckResult(text, text, Severity.CRITICAL, CheckOutcome.FAIL, text, 1, 1, 1, 1, (finding,), cwe=(text,))


def _build_arm(number: int, blocks: Sequence[Block]) -> ArmRecord:
    profile = (LEGACY, OPTIMIZED)[number]
    job_ms = (200, 30)[number]
    seconds = [second for block in blocks if block.arm == profile.name for second in _list_seconds(block)]
    jobs = _count_up(len(seconds) * _JOBS_A_SECOND, job_ms)
    errors = (ErrorCount(ErrorClass.SERVER, "error code", 1),)
    total = jobs.count
    return ArmRecord(
        profile=profile,
        guards=("guard",),
        operations=(
            OperationInterval("create", OperationKind.CALL, total, 0, (), _count_up(total, 5), _count_up(total, 5), Histogram()),
            OperationInterval("job", OperationKind.JOB, total, total * 1000, errors, jobs, jobs, Histogram()),
        ),
        all_errors=errors,
        call_count=total * 3,
        call_errors=1,
        job_errors=1,
        totals=JobTotals(total, total - 1, 1, 0, 0, (total - 1) * 1000, (total - 1) * 1000),
        series=tuple(
            SeriesRow(second, 10, _JOBS_A_SECOND, _JOBS_A_SECOND * 1000, 60, 0, job_ms * 1e6, job_ms * 2e6, job_ms * 3e6)
            for second in seconds
        ),
        monitor=tuple(
            MonitorRow(float(second), 140 * _MIB, 120 * _MIB, second * 1.1, 28, 64, 8, 2, 0, second * 9, second)
            for second in range(_BLOCK_S * len(blocks))
        ),
        blocks=tuple(_build_block(block, job_ms) for block in blocks if block.arm == profile.name),
    )


def _list_seconds(block: Block) -> range:
    return range(block.index * _BLOCK_S, (block.index + 1) * _BLOCK_S)


def _count_up(count: int, middle_ms: int) -> Histogram:
    builder = HistogramBuilder()
    for number in range(count):
        builder.record((middle_ms + number % middle_ms) * 1_000_000)
    return builder.build()


def _build_block(block: Block, job_ms: int) -> BlockRow:
    start_ns = block.index * _BLOCK_S * _SECOND_NS
    end_ns = start_ns + _BLOCK_S * _SECOND_NS
    jobs = _BLOCK_S * _JOBS_A_SECOND
    return BlockRow(
        index=block.index,
        pair=block.pair,
        arm=block.arm,
        start_ns=start_ns,
        measured_ns=start_ns + _SECOND_NS // 2,
        end_ns=end_ns,
        drained_ns=end_ns + job_ms * 1_000_000,
        jobs=jobs,
        rows=jobs * 1000,
        errors=0,
        job_mean_ns=job_ms * 1.1e6,
        job_p50_ns=job_ms * 1e6,
        job_p95_ns=job_ms * 2e6,
    )
