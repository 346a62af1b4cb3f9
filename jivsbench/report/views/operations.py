"""What every operation did, which errors there were, and whether jobs and rows add up."""

from dataclasses import dataclass

from jivsbench.model.formatting import NOT_MEASURED, format_count, format_milliseconds, format_share
from jivsbench.model.histogram import MIN_SAMPLES_P99, Histogram
from jivsbench.model.record import ArmRecord, RunRecord
from jivsbench.model.sample import OperationInterval, count_errors


@dataclass(frozen=True, slots=True)
class Clock:
    """The percentiles of one clock, in ms, and how many samples stand behind each."""

    p50: str
    p95: str
    p99: str
    highest: str


@dataclass(frozen=True, slots=True)
class OperationLine:
    """One operation of one arm."""

    operation: str
    kind: str
    arm: str
    count: str
    errors: str
    error_share: str
    has_errors: bool
    response: Clock
    service: Clock
    lag: Clock
    is_first: bool
    rowspan: int


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One class and code of error of one arm."""

    arm: str
    error: str
    code: str
    count: str


@dataclass(frozen=True, slots=True)
class Conservation:
    """One arm's jobs and rows, and whether they add up."""

    arm: str
    created: str
    completed: str
    failed: str
    timed_out: str
    cancelled: str
    jobs_add_up: bool
    jobs_difference: str
    rows_read: str
    rows_written: str
    rows_add_up: bool
    rows_difference: str
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Operations:
    """The tables of the load."""

    lines: tuple[OperationLine, ...]
    errors: tuple[ErrorLine, ...]
    conservation: tuple[Conservation, ...]


def build_operations(record: RunRecord) -> Operations:
    """All operations, grouped by their name so that arms stand below one another."""
    return Operations(
        lines=_build_lines(record),
        errors=tuple(
            ErrorLine(arm.profile.name, error.error.value, error.code, format_count(error.count))
            for arm in record.arms
            for error in sorted(arm.all_errors, key=lambda one: -one.count)
        ),
        # Of a run that was cut off only what had ended is known, so there is nothing to add up.
        conservation=() if record.is_partial else tuple(build_conservation(arm) for arm in record.arms),
    )


def build_conservation(arm: ArmRecord) -> Conservation:
    """Created = completed + failed + timed out + cancelled, and rows read = rows written."""
    totals = arm.totals
    ended = totals.completed + totals.failed + totals.timed_out + totals.cancelled
    return Conservation(
        arm=arm.profile.name,
        created=format_count(totals.created),
        completed=format_count(totals.completed),
        failed=format_count(totals.failed),
        timed_out=format_count(totals.timed_out),
        cancelled=format_count(totals.cancelled),
        jobs_add_up=totals.created == ended,
        jobs_difference=format_count(totals.created - ended),
        rows_read=format_count(totals.rows_read),
        rows_written=format_count(totals.rows_written),
        rows_add_up=totals.rows_read == totals.rows_written,
        rows_difference=format_count(totals.rows_read - totals.rows_written),
        is_empty=totals.created == 0,
    )


def describe_clock(histogram: Histogram) -> Clock:
    """Percentiles in ms, rounded up; a p99 of fewer than 100 samples is not shown."""
    if not histogram.count:
        return Clock(*(NOT_MEASURED,) * 4)
    p99 = format_milliseconds(histogram.percentile_ns(99)) if histogram.count >= MIN_SAMPLES_P99 else f"n < {MIN_SAMPLES_P99}"
    return Clock(
        format_milliseconds(histogram.percentile_ns(50)),
        format_milliseconds(histogram.percentile_ns(95)),
        p99,
        format_milliseconds(float(histogram.max_ns)),
    )


def _build_lines(record: RunRecord) -> tuple[OperationLine, ...]:
    groups: dict[str, list[tuple[ArmRecord, OperationInterval]]] = {}
    for arm in record.arms:
        for operation in arm.operations:
            groups.setdefault(operation.operation, []).append((arm, operation))
    return tuple(
        _build_line(arm, operation, is_first=place == 0, rowspan=len(group))
        for group in groups.values()
        for place, (arm, operation) in enumerate(group)
    )


def _build_line(arm: ArmRecord, operation: OperationInterval, *, is_first: bool, rowspan: int) -> OperationLine:
    errors = count_errors(operation.errors)
    return OperationLine(
        operation=operation.operation,
        kind=operation.kind.value,
        arm=arm.profile.name,
        count=format_count(operation.count),
        errors=format_count(errors),
        error_share=format_share(errors, operation.count),
        has_errors=errors > 0,
        response=describe_clock(operation.response),
        service=describe_clock(operation.service),
        lag=describe_clock(operation.lag),
        is_first=is_first,
        rowspan=rowspan,
    )
