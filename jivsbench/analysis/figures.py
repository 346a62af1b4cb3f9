"""The figures of one arm, in the catalogue's units. What was not measured is None with the reason, never 0."""

from dataclasses import dataclass
from typing import Final

from jivsbench.analysis.failed_jobs import count_wrong, tried_jobs
from jivsbench.analysis.readings import MemoryKind, count_looks, measure_cache, measure_cpu_cores, read_memory
from jivsbench.model.gate import Unit
from jivsbench.model.histogram import MIN_SAMPLES_P99, Histogram, merge_histograms
from jivsbench.model.metrics import CPU_PER_ROWS, JOB_OPERATION, Metric, find_metric
from jivsbench.model.record import ArmRecord
from jivsbench.model.sample import OperationKind
from jivsbench.model.scenario import Arrival
from jivsbench.model.summary import Figure, Provenance

_NS_PER_MS: Final = 1e6
_NS_PER_S: Final = 1e9
_BYTES_PER_MIB: Final = 1024.0**2
_PERCENT: Final = 100.0
_MILLION: Final = 1e6
PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
_PHASES: Final = "phases measured and drain, failed ones included"
_LOOPS: Final = {Arrival.USERS: "closed loop", Arrival.RATE: "open loop"}


def list_figures(arm: ArmRecord, memory: MemoryKind, arrival: Arrival) -> tuple[Figure, ...]:
    """Every figure of the catalogue that one arm's record can give, in the catalogue's order."""
    figures = [
        *_list_latencies(arm, _LOOPS[arrival]),
        _http_errors(arm),
        _job_errors(arm),
        *_throughput(arm),
        _cache_hits(arm),
        *_memory(arm, memory),
        _cpu(arm),
        _cpu_per_rows(arm),
        _rows_lost(arm),
        *_windows(arm),
    ]
    return tuple(figures)


@dataclass(frozen=True, slots=True)
class Known:
    """A value with what backs it."""

    value: float
    samples: int
    provenance: Provenance
    method: str


def build_figure(arm: str, metric: Metric, statistic: str, known: Known | str) -> Figure:
    """A figure from a value, or from the reason why there is none."""
    if isinstance(known, str):
        return Figure(arm, metric.name, statistic, None, metric.unit, 0, Provenance.DERIVED, f"not measured: {known}")
    return Figure(arm, metric.name, statistic, known.value, metric.unit, known.samples, known.provenance, known.method)


def named_metric(name: str) -> Metric:
    """A metric that the catalogue is known to have."""
    metric = find_metric(name)
    assert metric is not None, name
    return metric


def _list_latencies(arm: ArmRecord, loop: str) -> list[Figure]:
    calls = [part for part in arm.operations if part.kind is OperationKind.CALL]
    felt = f"intended start to end; {loop}"
    figures = [
        *_latency(arm, "http.response", merge_histograms(part.response for part in calls), felt),
        *_latency(arm, "http.service", merge_histograms(part.service for part in calls), f"actual start to end; {loop}"),
        *_latency(arm, "http.lag", merge_histograms(part.lag for part in calls), f"intended to actual start; {loop}"),
    ]
    jobs = merge_histograms(part.response for part in arm.operations if part.kind is OperationKind.JOB)
    figures += _latency(arm, f"{JOB_OPERATION}.response", jobs, felt)
    for part in arm.operations:
        if part.kind is not OperationKind.JOB:
            figures += _latency(arm, f"{part.operation}.response", part.response, felt)
    return figures


def _latency(arm: ArmRecord, name: str, histogram: Histogram, clock: str) -> list[Figure]:
    metric = named_metric(name)
    return [
        build_figure(arm.profile.name, metric, statistic, _read_latency(histogram, statistic, clock))
        for statistic in metric.statistics
    ]


def _read_latency(histogram: Histogram, statistic: str, clock: str) -> Known | str:
    if not histogram.count:
        return "no operation of this kind ended in a phase that counts"
    if statistic == "p99" and histogram.count < MIN_SAMPLES_P99:
        return f"n < {MIN_SAMPLES_P99} (n = {histogram.count})"
    if statistic == "max":
        value, how = float(histogram.max_ns), "exact greatest value"
    elif statistic == "mean":
        value, how = histogram.sum_ns / histogram.count, "exact mean"
    else:
        value, how = histogram.percentile_ns(PERCENTILES[statistic]) or 0.0, "nearest rank of the histogram, within 0.1 %"
    return Known(value / _NS_PER_MS, histogram.count, Provenance.MEASURED, f"{how}; {clock}, {_PHASES}")


def _http_errors(arm: ArmRecord) -> Figure:
    known = _ratio(arm.call_errors, arm.call_count, "failed / sent requests over all phases", "no request was sent")
    return build_figure(arm.profile.name, named_metric("http.errors"), "ratio", known)


def _job_errors(arm: ArmRecord) -> Figure:
    known = _ratio(arm.job_errors, tried_jobs(arm), "failed / tried jobs over all phases", "no job was tried")
    return build_figure(arm.profile.name, named_metric("job.errors"), "ratio", known)


def _throughput(arm: ArmRecord) -> list[Figure]:
    measured_s = sum(block.end_ns - block.measured_ns for block in arm.blocks) / _NS_PER_S
    jobs = sum(block.jobs for block in arm.blocks)
    rows = sum(block.rows for block in arm.blocks)
    known: tuple[Known | str, Known | str] = ("the blocks have no measured time",) * 2
    if measured_s > 0:
        where = (
            f"completed jobs that ended in the measured phases / {measured_s:.2f} s of measured time in {len(arm.blocks)} blocks"
        )
        known = (
            Known(rows * 60 / measured_s, jobs, Provenance.DERIVED, f"rows of {where}, per minute"),
            Known(jobs / measured_s, jobs, Provenance.DERIVED, where),
        )
    names = ("throughput.records", "throughput.jobs")
    return [build_figure(arm.profile.name, named_metric(name), "rate", value) for name, value in zip(names, known, strict=True)]


def _cache_hits(arm: ArmRecord) -> Figure:
    use = measure_cache(arm.monitor)
    known: Known | str = "the target's cache counters could not be read twice, or they fell"
    if not arm.profile.switches.cache:
        known = "this profile has no cache"
    elif use is not None:
        known = _ratio(use.hits, use.lookups, "hits / look-ups between first and last reading", "there were no look-ups")
    return build_figure(arm.profile.name, named_metric("cache.hits"), "ratio", known)


def _memory(arm: ArmRecord, kind: MemoryKind) -> list[Figure]:
    metric = named_metric("target.memory")
    read = read_memory(arm.monitor, kind)
    if not read:
        return [
            build_figure(arm.profile.name, metric, statistic, "the monitor read no memory") for statistic in metric.statistics
        ]
    known = sum(spread.known for spread in read)
    backing = f"{kind} of the process tree in {known} of {count_looks(arm.monitor)} readings"
    greatest = Known(max(spread.high for spread in read) / _BYTES_PER_MIB, known, Provenance.MEASURED, f"greatest {backing}")
    total = sum(spread.mean * spread.known for spread in read)
    mean = Known(total / known / _BYTES_PER_MIB, known, Provenance.DERIVED, f"mean {backing}")
    return [build_figure(arm.profile.name, metric, "max", greatest), build_figure(arm.profile.name, metric, "mean", mean)]


def _cpu(arm: ArmRecord) -> Figure:
    metric = named_metric("target.cpu")
    cores = measure_cpu_cores(arm.monitor)
    if cores is None:
        return build_figure(arm.profile.name, metric, "mean", "CPU time could not be read twice, or it fell")
    method = "CPU seconds / seconds between first and last reading, other arms' blocks and rests between processes included"
    return build_figure(arm.profile.name, metric, "mean", Known(cores, len(arm.monitor), Provenance.DERIVED, method))


def _windows(arm: ArmRecord) -> list[Figure]:
    figures = []
    for found in arm.windows:
        metric = named_metric(found.metric)
        provenance = Provenance.MEASURED if metric.unit is Unit.MILLISECONDS else Provenance.DERIVED
        figures.append(
            Figure(
                arm.profile.name,
                found.metric,
                found.statistic,
                found.value,
                metric.unit,
                found.samples,
                provenance,
                found.method,
                window=found.window,
            )
        )
    return figures


def _cpu_per_rows(arm: ArmRecord) -> Figure:
    metric = named_metric(CPU_PER_ROWS)
    read = [(block.cpu_s, block.cpu_rows) for block in arm.blocks if block.cpu_s is not None]
    cpu_s, rows = sum(cpu for cpu, _ in read), sum(rows for _, rows in read)
    if not rows:
        return build_figure(arm.profile.name, metric, "mean", "the target's CPU clock could not be read, or no row was extracted")
    method = f"{cpu_s:.2f} CPU s / {rows} rows in {len(read)} blocks, washout and drain included"
    return build_figure(arm.profile.name, metric, "mean", Known(cpu_s * _MILLION / rows, len(read), Provenance.DERIVED, method))


def _rows_lost(arm: ArmRecord) -> Figure:
    metric = named_metric("rows.lost")
    totals = arm.totals
    if not totals.completed:
        return build_figure(arm.profile.name, metric, "count", "no job completed")
    wrong = count_wrong(arm)
    lost = abs(totals.rows_read - totals.rows_written) + wrong
    method = f"|{totals.rows_read} read - {totals.rows_written} written| + {wrong} jobs with wrong rows"
    return build_figure(arm.profile.name, metric, "count", Known(lost, totals.completed, Provenance.DERIVED, method))


def _ratio(part: int, whole: int, method: str, without: str) -> Known | str:
    if not whole:
        return without
    return Known(part * _PERCENT / whole, whole, Provenance.DERIVED, f"{method}: {part} / {whole}")
