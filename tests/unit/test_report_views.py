"""What the page says, as values: verdicts, alarms, thin percentiles, judgements, missing figures."""

import shlex
from dataclasses import replace

import click
import pytest

from jivsbench.analysis import summarize
from jivsbench.app.checks import score_results
from jivsbench.cli.root import root
from jivsbench.model.finding import CheckOutcome
from jivsbench.model.formatting import format_number
from jivsbench.model.gate import Comparator, Gate, GateOutcome, Unit
from jivsbench.model.histogram import HistogramBuilder
from jivsbench.model.inputs import Waiver, WaiverTarget
from jivsbench.model.metrics import Direction
from jivsbench.model.record import EMBEDDED_SOURCE, JobTotals, RunRecord
from jivsbench.model.summary import Effect, Figure, Provenance, Verdict, VerdictOutcome
from jivsbench.report.views.badges import Tone, badge_check, badge_gate, badge_verdict
from jivsbench.report.views.facts import build_command, describe_generator, list_missing
from jivsbench.report.views.headline import build_headline, explain_verdict, find_alarms
from jivsbench.report.views.key_figures import build_key_figures, format_figure, judge_effect
from jivsbench.report.views.operations import build_conservation, describe_clock
from jivsbench.report.views.over_time import build_over_time, shade
from jivsbench.report.views.page import build_page
from jivsbench.report.views.pairs import build_pairs, join_pairs, join_processes
from jivsbench.report.views.security import build_security
from tests.gold.sample_runs import SAMPLES, all_checks, comparison, guards_empty, hostile, invalid, no_data, one_arm


def _effect(low: float | None, high: float | None, ratio: float | None = 1.2) -> Effect:
    return Effect("job.response", "p95", "a", "b", ratio, low, high, 0.95, 12, "")


@pytest.mark.parametrize(
    ("effect", "better", "word", "tone"),
    [
        (_effect(1.1, 1.3), Direction.HIGHER, "better", Tone.GOOD),
        (_effect(1.1, 1.3), Direction.LOWER, "worse", Tone.BAD),
        (_effect(0.7, 0.9), Direction.LOWER, "better", Tone.GOOD),
        (_effect(0.9, 1.3), Direction.LOWER, "no clear difference", Tone.MUTED),
        (_effect(1.0, 1.3), Direction.HIGHER, "no clear difference", Tone.MUTED),
        (_effect(None, None), Direction.LOWER, "no interval", Tone.MUTED),
        (_effect(None, None, None), Direction.LOWER, "no ratio", Tone.MUTED),
        (None, Direction.LOWER, "not compared", Tone.MUTED),
    ],
)
def test_better_and_worse_need_the_whole_interval(effect: Effect | None, better: Direction, word: str, tone: Tone) -> None:
    """A ratio without an interval, or with one that holds 1, is judged neither way."""
    assert judge_effect(effect, better) == (word, tone)


@pytest.mark.parametrize(("count", "p99"), [(99, "n < 100"), (100, "99.0")])
def test_a_thin_p99_is_not_shown(count: int, p99: str) -> None:
    """A p99 of fewer than 100 samples is not a p99."""
    builder = HistogramBuilder()
    for place in range(count):
        builder.record((place + 1) * 1_000_000)

    clock = describe_clock(builder.build())

    assert clock.p99.startswith(p99[:2])
    assert ("n <" in clock.p99) == (count < 100)


def test_a_thin_p99_figure_is_not_shown_either() -> None:
    """The summary may hold the value; the page does not show it."""
    figure = Figure("a", "job.response", "p99", 12.0, Unit.MILLISECONDS, 99, Provenance.MEASURED, "")

    assert format_figure(figure) == "n < 100"
    assert format_figure(replace(figure, samples=100)) == "12.0 ms"


def test_an_invalid_run_is_never_green() -> None:
    """No badge of a gate, no reading and no verdict of an invalid run carries the good tone."""
    sample = invalid()
    headline = build_headline(sample.record, sample.summary, sample.verdict)
    key = build_key_figures(sample.record, sample.summary, is_valid=False)

    assert headline.badge.tone is Tone.MUTED
    assert {gate.badge.tone for gate in headline.gates} == {Tone.MUTED}
    assert {row.judgement for row in key.rows} == {"does not count"}
    assert headline.effect == ""
    assert headline.reasons[0].startswith("the load generator used 97 %")


def test_only_green_outcomes_are_green() -> None:
    """Of all outcomes of gates, checks and runs, exactly the green ones have the good tone."""
    assert {o for o in GateOutcome if badge_gate(o, is_valid=True).tone is Tone.GOOD} == {GateOutcome.EXCEEDED, GateOutcome.MET}
    assert {o for o in CheckOutcome if badge_check(o).tone is Tone.GOOD} == {CheckOutcome.PASS}
    assert {o for o in VerdictOutcome if badge_verdict(o).tone is Tone.GOOD} == {VerdictOutcome.PASSED}


def test_no_guard_is_an_alarm_with_its_evidence() -> None:
    """A run without a guard shows SEC-001 above everything."""
    (alarm,) = find_alarms(guards_empty().record, guards_empty().verdict)

    assert alarm.check_id == "SEC-001"
    assert alarm.title == "No SQL guard is in force"
    assert alarm.evidence


def test_no_guard_is_an_alarm_even_when_no_check_says_so() -> None:
    """The profile's own word is enough."""
    record = replace(guards_empty().record, checks=())
    (alarm,) = find_alarms(record, guards_empty().verdict)

    assert alarm.check_id == "SEC-001"
    assert "guards = []" in alarm.reason


def test_a_safe_run_has_no_alarm() -> None:
    """Nothing is cried when nothing is open."""
    assert find_alarms(comparison().record, comparison().verdict) == ()


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (VerdictOutcome.PASSED, "No gate was asked, and nothing stands against it."),
        (VerdictOutcome.FAILED, "No gate was missed, but something else stands against it."),
        (VerdictOutcome.CONDITIONAL, "Approved under conditions."),
        (VerdictOutcome.INVALID, "The figures below count. Not all that was asked could be judged by them."),
    ],
)
def test_a_verdict_without_gates_still_says_why(outcome: VerdictOutcome, text: str) -> None:
    """No sentence counts gates that were not asked."""
    assert explain_verdict(Verdict(outcome, (), (), ()), is_valid=True) == text


def test_a_gate_that_needs_a_longer_run_takes_nothing_from_the_figures() -> None:
    """The verdict is INVALID all the same; of a run that is invalid itself nothing counts."""
    sample = one_arm()
    met, doubtful = (replace(sample.verdict.gates[0], outcome=outcome) for outcome in (GateOutcome.MET, GateOutcome.INCONCLUSIVE))
    verdict = replace(sample.verdict, outcome=VerdictOutcome.INVALID, gates=(met, doubtful))
    headline = build_headline(sample.record, sample.summary, verdict)
    spoilt = build_headline(replace(sample.record, invalid=("the generator was starved",)), sample.summary, verdict)

    assert headline.is_valid
    assert headline.why == "The figures below count. 1 of 2 gates could not be judged by them."
    assert not spoilt.is_valid
    assert spoilt.why == "Nothing valid was measured. The figures below say nothing about the target."


def test_the_generator_is_told_from_its_limit() -> None:
    """A valid 84.96 % is not shown as the 85 % that it may use, and an invalid 85.00001 % is above it."""
    generator = replace(one_arm().record.generator, cpu_ratio=0.8496, cpu_highest_ratio=0.8500001)
    facts = {fact.name: fact.value for fact in describe_generator(generator)}

    assert facts["CPU of the generator"] == "84.96 % of one core (limit 85 %)"
    assert facts["CPU of the generator in its busiest 10 s"] == "85.1 % of one core (limit 85 %)"


def test_jobs_that_are_lost_do_not_add_up() -> None:
    """A job that was created and never ended is shown, and so is a row that was read and not written."""
    (arm,) = one_arm().record.arms
    sums = build_conservation(replace(arm, totals=JobTotals(10, 7, 1, 0, 0, 7000, 6990)))

    assert not sums.jobs_add_up
    assert sums.jobs_difference == "2"
    assert not sums.rows_add_up
    assert sums.rows_difference == "10"


def test_everything_missing_is_listed() -> None:
    """A run that measured nothing lists every figure, the gates without data, the generator and security."""
    sample = no_data()
    names = [fact.name for fact in list_missing(sample.record, sample.summary, sample.verdict)]

    assert "throughput.records rate, optimized" in names
    assert "security" in names
    assert "the load generator" in names
    assert sum(name.startswith("gate ") for name in names) == 3


def test_a_run_without_any_arm_still_has_a_page() -> None:
    """A run that was cut short before the load has a page that says what is missing."""
    sample = invalid()
    record = replace(sample.record, arms=(), generator=None, checks=(), score=None)
    page = build_page(record, replace(sample.summary, figures=(), effects=()), sample.verdict)

    assert all(chart.missing for chart in page.over_time.charts)
    assert "the load" in {fact.name for fact in page.facts.missing}


def test_arms_share_their_scales() -> None:
    """The latency charts of both arms have the same axis, and so have their pools."""
    charts = {chart.id: chart for chart in build_over_time(comparison().record, ()).charts}

    assert charts["latency-0"].y_ticks == charts["latency-1"].y_ticks
    assert charts["pool-0"].y_ticks == charts["pool-1"].y_ticks
    assert charts["throughput"].bands


def test_charts_draw_the_limits_of_the_gates_that_judged() -> None:
    """Judged again by other gates, the dashed lines are theirs and not the plan's."""
    sample = one_arm()
    other = Gate("job.response", "p95", Comparator.LESS, 444, Unit.MILLISECONDS)
    asked = (replace(sample.verdict.gates[0], gate=other),)
    page = build_page(sample.record, sample.summary, replace(sample.verdict, gates=asked))
    charts = {chart.id: [limit.label for limit in chart.limits] for chart in page.over_time.charts}

    assert Gate("job.response", "p95", Comparator.LESS, 250, Unit.MILLISECONDS) in sample.record.plan.scenario.gates
    assert charts["latency-0"] == ["p95 < 444 ms"]
    assert charts["cache-hit-ratio"] == []


def test_a_chart_never_draws_a_thin_p99() -> None:
    """Seconds with fewer than 100 jobs have no p99, and the chart says how many there are."""
    latency = next(chart for chart in build_over_time(comparison().record, ()).charts if chart.id == "latency-0")

    assert "p99" not in {line.name for line in latency.lines}
    assert "p99 is left out of 36 of 36 seconds" in latency.note


def test_a_thinned_chart_of_an_open_loop_keeps_the_second_that_fell_short() -> None:
    """One second of nothing among 500 is drawn, and the note says how a point is chosen."""
    record = one_arm().record
    row = replace(record.arms[-1].series[0], planned=20)
    rows = tuple(
        replace(row, second=second, offered=0 if second == 301 else 20, achieved=5 if second == 301 else 20)
        for second in range(500)
    )
    page = build_over_time(replace(record, arms=(*record.arms[:-1], replace(record.arms[-1], series=rows))), ())
    (chart,) = [chart for chart in page.charts if chart.id.startswith("offer")]
    cells = {cell for line in chart.table.rows for cell in line[1:]}

    assert {"0", "5", "20"} <= cells
    assert "iterations a second their lowest second" in page.thinning


def test_an_open_loop_shows_what_was_planned_offered_and_achieved() -> None:
    """One chart an arm with the three lines; a closed loop, which plans no iterations, has none."""
    record = comparison().record
    baseline, candidate = record.arms
    series = tuple(replace(row, planned=20, offered=19, achieved=18) for row in candidate.series)
    opened = replace(record, arms=(baseline, replace(candidate, series=series)))

    (chart,) = [chart for chart in build_over_time(opened, ()).charts if chart.id.startswith("offer")]

    assert [line.name for line in chart.lines] == ["planned", "offered", "achieved"]
    assert chart.title == f"Iterations a second, {candidate.profile.name}"
    assert not [chart for chart in build_over_time(record, ()).charts if chart.id.startswith("offer")]


def test_only_whole_pairs_are_compared() -> None:
    """A pair that lacks one of its blocks is not drawn."""
    record = comparison().record
    baseline, candidate = record.arms
    broken = replace(record, arms=(baseline, replace(candidate, blocks=candidate.blocks[1:])))

    assert len(join_pairs(record)) == 12
    assert len(join_pairs(broken)) == 11


def spread(record: RunRecord, processes: int) -> RunRecord:
    """The same comparison, played against so many processes of each arm."""
    pairs = len({block.pair for block in record.plan.blocks})

    def place(block):
        return replace(block, process=block.pair * processes // pairs)

    arms = tuple(replace(arm, blocks=tuple(map(place, arm.blocks))) for arm in record.arms)
    return replace(record, plan=replace(record.plan, blocks=tuple(map(place, record.plan.blocks))), arms=arms)


def test_several_processes_are_drawn_instead_of_their_pairs() -> None:
    """The points are the values that the interval is made of; the table sums up the blocks of each process."""
    record = spread(comparison().record, 6)
    pairs = build_pairs(record, summarize(record))

    assert pairs is not None
    assert [chart.title for chart in pairs.charts] == [
        "Mean job duration of each process",
        "optimized divided by legacy, process by process",
    ]
    assert [len(chart.table.rows) for chart in pairs.charts] == [6, 6]
    assert [row[:2] for row in pairs.table.rows[:3]] == [("1", "legacy"), ("1", "optimized"), ("2", "legacy")]
    assert {row[3] for row in pairs.table.rows} == {"2"}
    assert sum(int(row[5].replace(",", "")) for row in pairs.table.rows) == sum(b.jobs for arm in record.arms for b in arm.blocks)
    ratios = [pair.ratio for pair in join_processes(record)]
    effect = summarize(record).effect("job.response", "mean")
    assert min(ratios) <= effect.ratio <= max(ratios)
    assert "over 12 pairs of 6 processes each" in pairs.charts[1].note


def _number_processes(record: RunRecord, apart: int) -> RunRecord:
    """Processes whose numbers lie so far apart, as no run has them but a file may: odd ones stay odd."""
    blocks = [tuple(replace(block, process=block.process * (apart + 1)) for block in arm.blocks) for arm in record.arms]
    return replace(record, arms=tuple(replace(arm, blocks=own) for arm, own in zip(record.arms, blocks, strict=True)))


def test_what_is_shaded_can_be_told_apart() -> None:
    """Blocks of the candidate, or every second process; of very many short blocks nothing, for they would only be grey."""
    record = comparison().record
    many = replace(record, arms=tuple(replace(arm, blocks=arm.blocks * 10) for arm in record.arms))

    assert (len(shade(record)[0]), shade(record)[1]) == (12, "Shaded: load on optimized.")
    stretches, words = shade(spread(record, 6))
    assert len(stretches) == 3
    assert words.startswith("Shaded: every second process of each arm.")
    assert len(shade(_number_processes(spread(record, 6), 10**12))[0]) == 3
    assert shade(many) == ([], "")
    assert shade(one_arm().record) == ([], "")


def test_throughput_of_a_process_counts_the_measured_time_of_its_blocks() -> None:
    """One stroke a process and arm, with as many records a minute as all its blocks together."""
    record = spread(comparison().record, 6)
    throughput = build_over_time(record, ()).charts[0]
    own = [block for block in record.arms[0].blocks if block.process == 0]
    rate = sum(block.rows for block in own) * 60e9 / sum(block.end_ns - block.measured_ns for block in own)

    assert len(throughput.table.rows) == 12
    assert format_number(rate, Unit.RECORDS_PER_MINUTE, Direction.HIGHER) in [
        row[3] for row in throughput.table.rows if row[2] == "legacy"
    ]


def test_short_blocks_can_be_told_apart_in_the_table() -> None:
    """Four blocks a second have four different times; a rate is rounded down."""
    record = comparison().record
    arms = []
    for arm in record.arms:
        blocks = tuple(
            replace(
                block, start_ns=place * 250_000_000, measured_ns=place * 250_000_000, end_ns=(place + 1) * 250_000_000, rows=4_167
            )
            for place, block in enumerate(arm.blocks)
        )
        arms.append(replace(arm, blocks=blocks))
    table = build_over_time(replace(record, arms=tuple(arms)), ()).charts[0].table

    assert [row[:2] for row in table.rows[2:6:2]] == [("0:00.25", "0:00.50"), ("0:00.50", "0:00.75")]
    assert {row[3] for row in table.rows} == {"1,000,080"}
    assert [row[0] for row in build_over_time(record, ()).charts[0].table.rows][:2] == ["0:00.50", "0:03.50"]


def test_a_single_run_has_no_pairs() -> None:
    """Pairs belong to comparisons."""
    sample = one_arm()

    assert build_pairs(sample.record, sample.summary) is None


def test_open_checks_come_first_and_a_score_is_cut() -> None:
    """FAIL stands above everything; 79.96 never reads as 80."""
    record = guards_empty().record
    assert record.score is not None
    security = build_security(replace(record, score=replace(record.score, score=79.96)))

    assert [line.badge.word for line in security.lines] == ["FAIL", "INVALID", "NOT TESTED", "PASS", "NOT APPLICABLE"]
    assert security.score.value == "79.9"


def test_the_command_quotes_names_of_others() -> None:
    """A scenario's name cannot become a second command."""
    record = hostile().record
    run = replace(record, plan=replace(record.plan, kind=one_arm().record.plan.kind))

    assert "'<script>document.title=\"owned\"</script>'" in build_command(run)
    assert build_command(one_arm().record) == "jivsbench run baseline --profile optimized --time-scale 0.05 --check --seed 20260"


def _replan(record: RunRecord, **changes) -> RunRecord:
    return replace(record, plan=replace(record.plan, **changes))


def test_the_command_names_all_that_the_plan_was_made_of() -> None:
    """Rows of an embedded source, load machines and the seed; a source that has its own rows is not told how many."""
    run = _replan(one_arm().record, source_label=EMBEDDED_SOURCE, table_rows=2_500, time_scale=0.0123456789)
    shared = replace(run, generator=replace(run.generator, workers=3))
    versus = _replan(comparison().record, source_label=EMBEDDED_SOURCE, table_rows=2_500)
    demo = _replan(comparison().record, scenario=replace(versus.plan.scenario, name="demo"))

    assert build_command(shared) == (
        "jivsbench run baseline --profile optimized --time-scale 0.0123456789 --check --data 2500 --expect-workers 3 --seed 20260"
    )
    assert "--expect-workers" not in build_command(run)
    assert " --data 2500 " in build_command(versus)
    assert "--data" not in build_command(comparison().record)
    assert build_command(demo) == "jivsbench demo --pairs 12 --block 18 --seed 20260"


@pytest.mark.parametrize("make", [one_arm, comparison])
@pytest.mark.parametrize("name", ["baseline", "demo"])
def test_the_command_has_only_options_that_there_are(make, name: str) -> None:
    """The command line takes every word of it."""
    sample = make()
    record = _replan(
        replace(sample.record, generator=replace(sample.record.generator, workers=2)),
        scenario=replace(sample.record.plan.scenario, name=name),
        source_label=EMBEDDED_SOURCE,
    )
    program, command, *words = shlex.split(build_command(record))
    parent = click.Context(root, **root.context_settings)
    known = root.get_command(parent, command)

    assert program == "jivsbench"
    assert known is not None
    assert known.make_context(command, words, parent=parent).params["seed"] == 20260


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_is_pure(name: str) -> None:
    """The same run gives the same page."""
    sample = SAMPLES[name]()

    assert build_page(sample.record, sample.summary, sample.verdict) == build_page(sample.record, sample.summary, sample.verdict)


def test_an_alarm_shows_what_nobody_answers_for() -> None:
    """Of two CRITICAL findings the open one stands on top; when both are suppressed, the alarm stays and says so."""
    sample = all_checks()
    (check,) = [check for check in sample.record.checks if check.check_id == "SEC-005"]
    assert sample.verdict.inputs is not None
    last = Waiver(WaiverTarget.FINDING, check.findings[1].fingerprint, "ops", "June", "2030-12-31")
    inputs = replace(sample.verdict.inputs, waivers=(*sample.verdict.inputs.waivers, last))
    (before,) = build_headline(sample.record, sample.summary, sample.verdict).alarms
    (after,) = build_headline(sample.record, sample.summary, replace(sample.verdict, inputs=inputs)).alarms

    assert (before.word, before.title) == ("Open CRITICAL", "attack 2 of SEC-005 got through")
    assert after.word == "Suppressed CRITICAL"


def test_findings_say_what_they_block_and_who_answers() -> None:
    """Sorted by severity; the suppressed ones after the open ones of their severity, grey, and blocking nothing."""
    sample = all_checks()
    found = build_security(sample.record, sample.verdict).findings

    assert [(finding.check_id, finding.blocks) for finding in found[:3]] == [
        ("SEC-005", "Blocks staging and production."),
        ("SEC-005", "Blocks nothing."),
        ("SEC-011", "Blocks nothing."),
    ]
    assert found[1].answer.startswith("Suppressed by ops@example.org until 2030-12-31")
    assert all(finding.remedy for finding in found)


def test_a_selection_of_checks_has_no_letter_and_lists_the_rest() -> None:
    """The demo's two green checks are no A+: 34 are named as not run, in the section and among what was not measured."""
    sample = all_checks()
    checks = tuple(check for check in sample.record.checks if check.check_id in ("SEC-001", "SEC-003"))
    record = replace(sample.record, checks=checks, score=score_results(checks))
    security = build_security(record, sample.verdict)

    assert (security.score.value, security.score.letter) == ("100", "")
    assert "34 of them were not run" in security.score.letter_note
    assert len(security.not_run) == 34
    missing = {fact.name: fact.value for fact in list_missing(record, sample.summary, sample.verdict)}
    assert missing["security checks that were not run"].startswith("SEC-002, SEC-004")
