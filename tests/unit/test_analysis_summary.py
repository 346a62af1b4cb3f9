from dataclasses import replace

import pytest

from jivsbench.analysis import summarize
from jivsbench.model.finding import CheckOutcome, Severity
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import CATALOGUE, OPERATION_METRIC, find_metric
from jivsbench.model.record import JobTotals, SeriesRow
from jivsbench.model.sample import ErrorClass, ErrorCount, OperationKind
from jivsbench.model.scenario import Arrival
from jivsbench.model.summary import Provenance
from tests.unit.analysis_records import (
    build_arm_record,
    build_block,
    build_check,
    build_comparison,
    build_look,
    build_operation,
    build_record,
    change_arm,
)

RUN = build_record(build_arm_record())


def figure(record, metric, statistic, arm="optimized"):
    """One figure of the record's summary."""
    found = summarize(record).figure(arm, metric, statistic)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("metric", "statistic", "value", "unit", "provenance"),
    [
        ("http.response", "p50", 50.0, Unit.MILLISECONDS, Provenance.MEASURED),
        ("http.response", "p99", 99.0, Unit.MILLISECONDS, Provenance.MEASURED),
        ("http.response", "mean", 50.5, Unit.MILLISECONDS, Provenance.MEASURED),
        ("http.response", "max", 100.0, Unit.MILLISECONDS, Provenance.MEASURED),
        ("http.lag", "max", 0.0, Unit.MILLISECONDS, Provenance.MEASURED),
        ("create.response", "p90", 90.0, Unit.MILLISECONDS, Provenance.MEASURED),
        ("job.response", "p95", 100.0, Unit.MILLISECONDS, Provenance.MEASURED),
        ("http.errors", "ratio", 0.0, Unit.PERCENT, Provenance.DERIVED),
        ("throughput.records", "rate", 600_000.0, Unit.RECORDS_PER_MINUTE, Provenance.DERIVED),
        ("throughput.jobs", "rate", 10.0, Unit.JOBS_PER_SECOND, Provenance.DERIVED),
        ("cache.hits", "ratio", 90.0, Unit.PERCENT, Provenance.DERIVED),
        ("target.memory", "max", 120.0, Unit.MEBIBYTES, Provenance.MEASURED),
        ("target.memory", "mean", 320 / 3, Unit.MEBIBYTES, Provenance.DERIVED),
        ("target.cpu", "mean", 0.5, Unit.CORES, Provenance.DERIVED),
        ("rows.lost", "count", 0.0, Unit.COUNT, Provenance.DERIVED),
        ("findings.critical", "count", 0.0, Unit.COUNT, Provenance.MEASURED),
    ],
)
def test_a_figure_is_what_the_head_computes(metric, statistic, value, unit, provenance):
    """Every figure of a small record, with its unit and provenance."""
    found = figure(RUN, metric, statistic)

    assert found.value == pytest.approx(value, rel=0.001)
    assert (found.unit, found.provenance) == (unit, provenance)
    assert found.samples > 0
    assert found.method


def test_the_summary_is_exactly_the_catalogue():
    """Every metric that needs neither a question nor a file has a figure for each statistic, and there are no others."""
    names = {(found.metric, found.statistic) for found in summarize(RUN).figures}

    for metric in (metric for metric in CATALOGUE if metric.question is None and metric.input_option is None):
        name = "create.response" if metric is OPERATION_METRIC else metric.name
        assert {(name, statistic) for statistic in metric.statistics} <= names
    assert all(statistic in find_metric(name).statistics for name, statistic in names)


def test_a_p99_of_fewer_than_a_hundred_samples_is_not_shown():
    """99 samples cannot say what one in a hundred waits."""
    short = build_operation("job", OperationKind.JOB, [10.0] * 99)
    found = figure(change_arm(RUN, operations=(short,)), "job.response", "p99")

    assert found.value is None
    assert "n < 100" in found.method


@pytest.mark.parametrize(
    ("changes", "metric", "statistic", "reason"),
    [
        ({"operations": ()}, "http.response", "p95", "no operation of this kind"),
        ({"operations": ()}, "job.response", "mean", "no operation of this kind"),
        ({"call_count": 0}, "http.errors", "ratio", "no request was sent"),
        ({"totals": JobTotals(0, 0, 0, 0, 0, 0, 0)}, "job.errors", "ratio", "no job was tried"),
        ({"totals": JobTotals(5, 0, 5, 0, 0, 0, 0)}, "rows.lost", "count", "no job completed"),
        ({"blocks": ()}, "throughput.records", "rate", "no measured time"),
        ({"monitor": ()}, "target.memory", "max", "read no memory"),
        ({"monitor": (build_look(0, pss_mib=None),)}, "target.memory", "mean", "read no memory"),
        ({"monitor": (build_look(0),)}, "target.cpu", "mean", "could not be read twice"),
        ({"monitor": (build_look(0), build_look(1))}, "cache.hits", "ratio", "no look-ups"),
        ({"monitor": (build_look(0, hits=None), build_look(1, hits=5))}, "cache.hits", "ratio", "could not be read twice"),
        ({"monitor": (build_look(0, hits=9), build_look(1, hits=5))}, "cache.hits", "ratio", "they fell"),
    ],
)
def test_what_was_not_measured_is_none_with_the_reason(changes, metric, statistic, reason):
    """Unknown is never 0."""
    found = figure(change_arm(RUN, **changes), metric, statistic)

    assert found.value is None
    assert found.samples == 0
    assert reason in found.method


def test_cache_hits_count_only_the_look_ups_of_the_load():
    """Hits before the first reading belong to the warm-up."""
    looks = (build_look(0, hits=1000, misses=0), build_look(1, hits=1030, misses=70))

    assert figure(change_arm(RUN, monitor=looks), "cache.hits", "ratio").value == 30.0


def test_a_refused_job_counts_as_tried():
    """It was never created, so it is missing from the totals but not from the seconds."""
    series = (SeriesRow(0, 10, 120, 100_000, 0, 20, None, None, None),)

    assert figure(change_arm(RUN, job_errors=30, series=series), "job.errors", "ratio").value == 25.0


def test_latencies_name_the_loop_that_they_were_measured_in():
    """Users wait for an answer before they ask again, arrivals do not: their response times are not of one kind."""
    record = build_record(build_arm_record())
    scenario = replace(record.plan.scenario, arrival=Arrival.RATE)
    opened = replace(record, plan=replace(record.plan, scenario=scenario))

    methods = [summarize(each).figure("optimized", "http.response", "p95").method for each in (record, opened)]

    assert ["closed loop" in method for method in methods] == [True, False]
    assert "open loop, phases measured and drain" in methods[1]


def test_throughput_is_over_measured_time_not_over_wall_time():
    """Two blocks of 0.25 s with 3 and 5 jobs are 16 jobs/s, whatever lies between them."""
    blocks = (build_block("optimized", 0, 3, measured_s=0.25), build_block("optimized", 1, 5, measured_s=0.25))
    record = change_arm(RUN, blocks=blocks)

    assert figure(record, "throughput.jobs", "rate").value == 16.0
    assert figure(record, "throughput.records", "rate").value == 960_000.0
    assert figure(record, "throughput.jobs", "rate").samples == 8


def test_rows_lost_adds_lost_rows_and_wrong_jobs():
    """Rows read but not written, rows written but not read, and jobs with wrong rows are all losses."""
    wrong = (ErrorCount(ErrorClass.WRONG_ROWS, "", 3), ErrorCount(ErrorClass.SERVER, "500", 9))

    assert (
        figure(change_arm(RUN, totals=JobTotals(2, 2, 0, 0, 0, 1000, 1007), all_errors=wrong), "rows.lost", "count").value == 10
    )


def test_memory_of_all_arms_is_of_one_kind():
    """When one arm has no PSS, both are given as RSS: PSS against RSS would compare nothing."""
    record = build_comparison()
    looks = tuple(replace(look, pss_bytes=None) for look in record.arms[1].monitor)

    mixed = change_arm(record, monitor=looks)
    assert figure(record, "target.memory", "max", "legacy").value == 120.0
    assert figure(mixed, "target.memory", "max", "legacy").value == 170.0
    assert "RSS" in figure(mixed, "target.memory", "max", "legacy").method


@pytest.mark.parametrize(
    ("checks", "critical", "high"),
    [
        ((), None, None),
        ((build_check(outcome=CheckOutcome.NOT_TESTED), build_check(outcome=CheckOutcome.INVALID)), None, None),
        ((build_check(outcome=CheckOutcome.FAIL),), 0, 1),
        ((build_check(outcome=CheckOutcome.FAIL, findings=[Severity.HIGH, Severity.HIGH, Severity.CRITICAL]),), 1, 2),
        ((build_check(severity=Severity.CRITICAL, outcome=CheckOutcome.FAIL, findings=[Severity.LOW]),), 0, 0),
        ((build_check(severity=Severity.LOW, outcome=CheckOutcome.FAIL, findings=[Severity.CRITICAL]),), 1, 0),
    ],
)
def test_open_findings_are_counted_and_unknown_without_checks(checks, critical, high):
    """Each by its own severity, a failed check that names none by the check's; without a check that ran the count is unknown."""
    record = build_record(build_arm_record(), checks=checks)

    assert figure(record, "findings.critical", "count").value == critical
    assert figure(record, "findings.high", "count").value == high


def test_a_run_of_one_arm_has_no_effects():
    """There is nothing to compare with."""
    assert summarize(RUN).effects == ()


def test_a_comparison_has_the_ratio_of_every_paired_statistic_with_an_interval():
    """Twice the jobs in half the time, in every pair alike."""
    summary = summarize(build_comparison(12))

    for metric, statistic, ratio in [
        ("throughput.records", "rate", 2.0),
        ("throughput.jobs", "rate", 2.0),
        ("job.response", "mean", 0.5),
        ("job.response", "p50", 0.5),
        ("job.response", "p95", 0.5),
    ]:
        effect = summary.effect(metric, statistic)
        assert (effect.baseline, effect.candidate, effect.pairs) == ("legacy", "optimized", 12)
        assert (effect.ratio, effect.ratio_low, effect.ratio_high) == pytest.approx((ratio, ratio, ratio))
        assert "exact Wilcoxon" in effect.method


def test_five_pairs_have_an_effect_without_an_interval():
    """Too few pairs are said to be too few."""
    effect = summarize(build_comparison(5)).effect("job.response", "mean")

    assert effect.ratio == pytest.approx(0.5)
    assert (effect.ratio_low, effect.ratio_high) == (None, None)
    assert "5 pairs, 95% confidence needs at least 6" in effect.method


def test_what_an_arm_has_once_gets_a_plain_ratio():
    """Memory, CPU, errors and cache hits have no blocks."""
    record = change_arm(build_comparison(), monitor=(build_look(0), build_look(1, pss_mib=180, hits=45, misses=55)))
    caching = replace(record.arms[0].profile, switches=replace(record.arms[0].profile.switches, cache=True))
    record = replace(record, arms=(replace(record.arms[0], profile=caching), *record.arms[1:]))
    summary = summarize(record)

    memory = summary.effect("target.memory", "max")
    assert (memory.ratio, memory.ratio_low, memory.pairs) == (1.5, None, 0)
    assert "no interval" in memory.method
    assert summary.effect("cache.hits", "ratio").ratio == 0.5
    assert summary.effect("job.errors", "ratio").ratio == 1.0


def test_a_profile_without_a_cache_has_no_hit_ratio():
    """The reason is the profile, not a reading that failed."""
    figure = summarize(build_comparison()).figure("legacy", "cache.hits", "ratio")

    assert figure.value is None
    assert figure.method == "not measured: this profile has no cache"


def test_there_is_no_ratio_to_a_baseline_of_zero_or_of_nothing():
    """From no errors to some is not a number of percent, and from unknown to known even less."""
    record = change_arm(build_comparison(), job_errors=5)
    unread = replace(record, arms=(replace(record.arms[0], monitor=()), record.arms[1]))

    assert summarize(record).effect("job.errors", "ratio").ratio is None
    assert "legacy is 0" in summarize(record).effect("job.errors", "ratio").method
    assert summarize(unread).effect("target.memory", "max").ratio is None
    assert "legacy has no value" in summarize(unread).effect("target.memory", "max").method


def test_with_several_processes_the_interval_comes_from_them():
    """One of ten processes is slow in all of its pairs: that is one value of ten, not twelve of 120."""
    record = build_comparison(120, speedup=1.0)
    arms = tuple(
        replace(
            arm,
            blocks=tuple(
                replace(block, process=block.pair // 12, job_mean_ns=block.job_mean_ns * (1.5 if block.pair < slow else 1.0))
                for block in arm.blocks
            ),
        )
        for arm, slow in zip(record.arms, (0, 12), strict=True)
    )
    effect = summarize(replace(record, arms=arms)).effect("job.response", "mean")

    assert (effect.pairs, effect.processes) == (120, 10)
    assert effect.ratio == pytest.approx(1.0)
    assert effect.ratio_high > 1.05
    assert effect.method.endswith("of 10 processes of each; exact sign-flip interval")


def test_too_few_processes_have_no_interval_however_many_pairs_they_have():
    """Five values cannot show 95 %; nor do sixty pairs help."""
    record = build_comparison(60)
    arms = [replace(arm, blocks=tuple(replace(b, process=b.pair % 5) for b in arm.blocks)) for arm in record.arms]
    effect = summarize(replace(record, arms=tuple(arms))).effect("job.response", "mean")

    assert (effect.ratio, effect.ratio_low) == (pytest.approx(0.5), None)
    assert "no interval: 5 processes of each, 95% confidence needs at least 6" in effect.method


def test_a_block_without_jobs_ranks_last_instead_of_being_left_out():
    """One empty block of twenty pulls the interval down; leaving it out would flatter its arm."""
    record = build_comparison(20)
    blocks = (replace(record.arms[1].blocks[0], jobs=0, rows=0), *record.arms[1].blocks[1:])

    effect = summarize(change_arm(record, blocks=blocks)).effect("throughput.jobs", "rate")
    assert effect.pairs == 20
    assert effect.ratio == pytest.approx(2.0)


def test_many_blocks_without_jobs_leave_no_interval():
    """When a block is too short for one job, the remedy is longer blocks, not statistics."""
    record = build_comparison(20)
    blocks = tuple(replace(block, jobs=0, rows=0) if block.pair < 5 else block for block in record.arms[1].blocks)

    effect = summarize(change_arm(record, blocks=blocks)).effect("throughput.jobs", "rate")
    assert effect.ratio_low is None
    assert "in 5 of 20 pairs no job completed in one of the blocks" in effect.method


def test_blocks_without_a_partner_are_left_out():
    """A pair needs both of its blocks."""
    record = build_comparison(8)
    record = replace(record, arms=(replace(record.arms[0], blocks=record.arms[0].blocks[:7]), record.arms[1]))

    assert summarize(record).effect("throughput.jobs", "rate").pairs == 7


def test_a_pair_in_which_neither_block_completed_a_job_says_nothing():
    """Zero against zero has no ratio; the other pairs keep theirs."""
    record = build_comparison(20)
    arms = tuple(replace(arm, blocks=(replace(arm.blocks[0], jobs=0, rows=0), *arm.blocks[1:])) for arm in record.arms)

    effect = summarize(replace(record, arms=arms)).effect("throughput.records", "rate")
    assert (effect.pairs, effect.ratio) == (19, pytest.approx(2.0))


def test_an_empty_block_of_the_baseline_ranks_highest():
    """The rule is the same for both arms: with ten pairs and one empty block the upper bound is out of reach."""
    record = build_comparison(10)
    blocks = (replace(record.arms[0].blocks[0], jobs=0, rows=0), *record.arms[0].blocks[1:])
    effect = summarize(replace(record, arms=(replace(record.arms[0], blocks=blocks), record.arms[1]))).effect(
        "throughput.jobs", "rate"
    )

    assert effect.pairs == 10
    assert effect.ratio == effect.ratio_low == pytest.approx(2.0)
    assert effect.ratio_high > 2.0


def test_a_comparison_without_one_usable_pair_has_no_ratio():
    """Nothing paired is nothing compared."""
    effect = summarize(change_arm(build_comparison(), blocks=())).effect("job.response", "mean")

    assert (effect.ratio, effect.pairs) == (None, 0)
    assert "no pair has a value in both" in effect.method
