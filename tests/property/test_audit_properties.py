"""The audit finds what is broken and leaves alone what is whole: 500 of each, for files of others and for our own."""

import math
import random
from dataclasses import fields, is_dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jivsbench.analysis import judge, summarize
from jivsbench.analysis.contradictions import audit_claims
from jivsbench.analysis.evidence import build_planned_arm
from jivsbench.analysis.recomputation import compare_values, recompute_arms, recompute_monitor, recompute_summary
from jivsbench.analysis.run_claims import list_claims
from jivsbench.model.claims import Claims, Criterion, Quantity, Rule, Stated
from jivsbench.model.gate import Comparator
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.histogram import HistogramBuilder
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.record import JobTotals, RunRecord
from jivsbench.model.sample import ErrorClass, ErrorCount, Interval, OperationInterval, OperationKind
from jivsbench.model.scenario import BlockPhase
from jivsbench.results.written import build_part, count, figure, percent
from tests.unit.analysis_records import MIB, build_arm_record, build_block, build_check, build_record

Q = Quantity
CASES = settings(max_examples=500, deadline=None)
SECOND_NS = 1_000_000_000


def write(value: float, digits: int, *, cuts_off: bool) -> str:
    """A number as somebody's report shows it: rounded, or cut off."""
    text = f"{value:.{digits + 3}f}"[: -3 if digits else -4] if cuts_off else f"{value:.{digits}f}"
    return text if text not in ("", "-") else "0"


def percentile(values: list[float], share: float) -> float:
    """By nearest rank."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def build_file(seed: int, digits: int, *, cuts_off: bool) -> Claims:
    """A result whose figures all follow from the same made-up samples, each rounded on its own."""
    rng = random.Random(seed)

    def number(name, value, scale=1.0):
        return figure(name, write(value, digits, cuts_off=cuts_off), scale)

    def show(name, values, users):
        busy_s = sum(values) / 1000
        duration_s = busy_s / users * (1 + rng.random())
        failed = rng.randrange(len(values) + 1)
        hits, misses = rng.randrange(1000), rng.randrange(1, 1000)
        size, jobs = rng.randrange(1, 2000), len(values)
        records = sum(rng.randrange(1, 20 * size) for _ in range(jobs))
        return build_part(
            name,
            [
                (Q.DURATION_S, figure("duration", f"{duration_s:.6f}")),
                (Q.TRIED, count("tried", str(len(values)))),
                (Q.TRIED_PER_S, number("rate", len(values) / duration_s)),
                (Q.FAILED, count("failed", str(failed))),
                (Q.SUCCEEDED, count("succeeded", str(len(values) - failed))),
                (Q.ERROR_RATIO, percent("errors", write(failed * 100 / len(values), digits, cuts_off=cuts_off))),
                (Q.RECORDS, count("records", str(records))),
                (Q.RECORDS_PER_S, number("records/min", records * 60 / duration_s, 1 / 60)),
                (Q.BATCH_SIZE, count("batch size", str(size))),
                (Q.BATCHES, count("batches", str(math.ceil(records / size) + rng.randrange(jobs)))),
                (Q.POLL_INTERVAL_S, figure("interval", "0.5")),
                (Q.POLLS, count("polls", str(int(duration_s / 0.5)))),
                (Q.USERS, count("users", str(users))),
                (Q.POOL_SIZE, count("pool", str(users + 2))),
                (Q.ACTIVE_CONNECTIONS, count("active", str(rng.randrange(users + 1)))),
                (Q.CONCURRENCY, number("in flight", busy_s / duration_s)),
                (Q.HITS, count("hits", str(hits))),
                (Q.MISSES, count("misses", str(misses))),
                (Q.LOOKUPS, count("look-ups", str(hits + misses))),
                (Q.HIT_RATIO, figure("hit ratio", write(hits / (hits + misses), digits + 2, cuts_off=cuts_off))),
                (Q.MEAN_MS, number("mean", sum(values) / len(values))),
                (Q.MIN_MS, number("min", min(values))),
                (Q.P50_MS, number("p50", percentile(values, 0.5))),
                (Q.P95_MS, number("p95", percentile(values, 0.95))),
                (Q.MAX_MS, number("max", max(values))),
            ],
        )  # fmt: skip

    groups = [[rng.lognormvariate(4 + place, 0.7) for _ in range(rng.randrange(1, 40))] for place in range(rng.randrange(1, 4))]
    parts = tuple(show(f"part {place}", values, rng.randrange(1, 20)) for place, values in enumerate(groups))
    everything = [value for values in groups for value in values]
    whole = build_part(
        "all",
        [
            (Q.TRIED, count("tried", str(len(everything)))),
            (Q.MEAN_MS, number("mean", sum(everything) / len(everything))),
            (Q.P50_MS, number("p50", percentile(everything, 0.5))),
            (Q.P95_MS, number("p95", percentile(everything, 0.95))),
            (Q.MAX_MS, number("max", max(everything))),
        ],
    )
    value, limit = rng.uniform(0, 100), rng.uniform(0, 100)
    criterion = Criterion("limit", number("found", value), Comparator.LESS, Stated("limit", limit), value < limit)
    return Claims("table", whole, parts, is_partition=True, criteria=(criterion,))


@pytest.mark.no_cover
@CASES
@given(st.integers(0, 2**32), st.integers(0, 6), st.booleans())
def test_a_consistent_file_raises_nothing(seed, digits, cuts_off):
    """Whatever the rounding of each figure, no relation is called a contradiction."""
    found = audit_claims(build_file(seed, digits, cuts_off=cuts_off))

    assert len(found.relations) > 15
    assert [relation.arithmetic for relation in found.contradictions] == []


BREAKS = {
    Q.TRIED_PER_S: {Rule.RATE},
    Q.RECORDS_PER_S: {Rule.RATE},
    Q.ERROR_RATIO: {Rule.ERROR_RATIO, Rule.PERCENT},
    Q.BATCHES: {Rule.BATCHES},
    Q.POLLS: {Rule.POLLS},
    Q.ACTIVE_CONNECTIONS: {Rule.CONNECTIONS},
    Q.LOOKUPS: {Rule.LOOKUPS},
    Q.HIT_RATIO: {Rule.LOOKUPS, Rule.PERCENT},
    Q.CONCURRENCY: {Rule.LITTLE},
    Q.MEAN_MS: {Rule.PARTS},
    Q.P95_MS: {Rule.PARTS},
    Q.SUCCEEDED: {Rule.SUMS},
}


@pytest.mark.no_cover
@CASES
@given(st.integers(0, 2**32), st.sampled_from(sorted(BREAKS)), st.floats(1.5, 90), st.data())
def test_a_broken_relation_is_found(seed, quantity, factor, data):
    """One figure of one part is made greater; a rule that holds it to the others says so."""
    claims = build_file(seed, 6, cuts_off=False)
    place = data.draw(st.integers(0, len(claims.parts) - 1))
    part = claims.parts[place]
    stated = part.get(quantity)
    # Shifted as well as stretched: nothing times nothing stays nothing, and a half-empty pool holds one more.
    shift = {Q.POLLS: 4, Q.BATCHES: part.get(Q.TRIED).value + 2, Q.ACTIVE_CONNECTIONS: 30, Q.LOOKUPS: 3, Q.SUCCEEDED: 1}
    worse = replace(
        stated,
        value=stated.value * factor + shift.get(quantity, 0.01) + (part.get(Q.MAX_MS).value if quantity is Q.P95_MS else 0),
    )
    figures = tuple((name, worse if name is quantity else known) for name, known in part.figures)
    parts = (*claims.parts[:place], replace(part, figures=figures), *claims.parts[place + 1 :])

    found = {relation.rule for relation in audit_claims(replace(claims, parts=parts)).contradictions}

    assert found & BREAKS[quantity]


GATES = tuple(
    parse_gate(text)
    for text in (
        "job.response p95 < 150 ms",
        "job.response p95 < 900 ms for 2s",
        "job.errors ratio < 10 %",
        "rows.lost count <= 0",
    )
)


def build_bundle(seed: int):
    """A whole run from made-up samples: the record with its summary and verdict, its intervals and its monitor's lines."""
    rng = random.Random(seed)
    arm = build_arm_record(pairs=rng.randrange(1, 4))
    intervals, blocks, completed, failed = [], [], 0, 0
    for planned in arm.blocks:
        jobs_of_block, rows, all_rows = HistogramBuilder(), 0, 0
        good = bad = 0
        for second, phase in enumerate((BlockPhase.WASHOUT, BlockPhase.MEASURED, BlockPhase.DRAIN), start=planned.index * 10):
            operations = []
            for name, kind in (("create", OperationKind.CALL), ("job", OperationKind.JOB)):
                clocks = (HistogramBuilder(), HistogramBuilder(), HistogramBuilder())
                # At least one job of them completes: a run of failures alone would be invalid.
                number = rng.randrange(2, 8)
                for _ in range(number):
                    service, lag = rng.randrange(1, 200_000_000), rng.randrange(1_000_000)
                    for builder, value in zip(clocks, (service + lag, service, lag), strict=True):
                        builder.record(value)
                    if kind is OperationKind.JOB and phase is not BlockPhase.WASHOUT:
                        jobs_of_block.record(service + lag)
                errors = rng.randrange(2) if kind is OperationKind.JOB else 0
                if kind is OperationKind.JOB:
                    completed, failed = completed + number - errors, failed + errors
                    if phase is BlockPhase.MEASURED:
                        good, bad, rows = number - errors, errors, (number - errors) * 1000
                counts = (ErrorCount(ErrorClass.JOB_FAILED, "deadline", errors),) if errors else ()
                all_rows += (number - errors) * 1000 if kind is OperationKind.JOB else 0
                done = (number - errors) * 1000 if kind is OperationKind.JOB else 0
                operations.append(OperationInterval(name, kind, number, done, counts, *(clock.build() for clock in clocks)))
            intervals.append(Interval(second, arm.profile.name, planned.index, phase, 10, tuple(operations)))
        response = jobs_of_block.build()
        blocks.append(
            replace(
                build_block(arm.profile.name, planned.pair, good),
                rows=rows,
                errors=bad,
                cpu_s=0.5 + planned.index,
                cpu_rows=all_rows,
                drained_ns=planned.end_ns + SECOND_NS,
                job_mean_ns=response.mean_ns(),
                job_p50_ns=response.percentile_ns(50),
                job_p95_ns=response.percentile_ns(95),
            )
        )
    looks = [
        MonitorRow(second + 0.5, rng.randrange(90, 99) * MIB, 80 * MIB, second * 0.7, 8, 20, 3, 1, 0, second * 9, second)
        for second in range(6)
    ]
    totals = JobTotals(completed + failed, completed, failed, 0, 0, completed * 1000, completed * 1000)
    kept = tuple(replace(look, second=look.second - 2.25) for look in looks[2:])
    record = build_record(arm, checks=[build_check(findings=())])
    record = replace(record, plan=replace(record.plan, scenario=replace(record.plan.scenario, gates=GATES)))
    built = build_planned_arm(record.plan, arm.profile, arm.guards, lambda: intervals, blocks, totals, kept)
    record = replace(record, arms=(built,))
    summary = summarize(record)
    lines = [(arm.profile.name, look) for look in looks]
    return record, summary, judge(record, summary, GATES), intervals, lines


def audit_bundle(record, summary, verdict, intervals, lines):
    """Every relation of a run, tried as `audit` does it."""
    relations = [relation for claims in list_claims(record, summary, verdict) for relation in audit_claims(claims).relations]
    relations += recompute_arms(record, lambda: intervals)
    relations += recompute_monitor(record, lines)
    relations += recompute_summary(record, summary)
    gates = tuple(result.gate for result in verdict.gates)
    relations.append(compare_values("verdict", verdict, judge(record, summary, gates)))
    return [relation for relation in relations if not relation.holds]


# What nothing else in a run says again: only its SHA-256 holds these.
UNREPEATED = {"profile", "guards", "start_ns", "drained_ns", "pair", "second", "samples_of", "confidence", "cpu_rows_of"}


def list_places(value, path=()):
    """Paths to every number and word within a value."""
    if is_dataclass(value):
        for field in fields(value):
            if field.name not in UNREPEATED:
                yield from list_places(getattr(value, field.name), (*path, field.name))
    elif isinstance(value, tuple):
        for place, entry in enumerate(value):
            yield from list_places(entry, (*path, place))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def change(value, path, factor):
    """The value with the number at that path made greater."""
    if not path:
        return type(value)(value * factor + 1)
    head, *rest = path
    if isinstance(head, int):
        return (*value[:head], change(value[head], rest, factor), *value[head + 1 :])
    return replace(value, **{head: change(getattr(value, head), rest, factor)})


@pytest.mark.no_cover
@CASES
@given(st.integers(0, 2**32))
def test_an_untouched_run_raises_nothing(seed):
    """Everything in it follows from its samples, to the last bit."""
    assert audit_bundle(*build_bundle(seed)) == []


@pytest.mark.no_cover
@CASES
@given(st.integers(0, 2**32), st.floats(1.01, 50), st.data())
def test_a_changed_figure_of_a_run_is_found(seed, factor, data):
    """Any number of the arms, the summary or the verdict is changed: the raw histograms or the other figures tell."""
    record, summary, verdict, intervals, lines = build_bundle(seed)
    part = data.draw(st.sampled_from(("arms", "figures", "verdict")))
    values = {"arms": record.arms, "figures": summary.figures, "verdict": verdict.gates}
    path = data.draw(st.sampled_from(list(list_places(values[part]))))
    broken = change(values[part], path, factor)
    if part == "arms":
        record = replace(record, arms=broken)
    elif part == "figures":
        summary = replace(summary, figures=broken)
    else:
        verdict = replace(verdict, gates=broken)

    assert isinstance(record, RunRecord)
    assert audit_bundle(record, summary, verdict, intervals, lines), f"nothing noticed {part} {path}"
