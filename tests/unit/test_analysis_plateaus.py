"""One plateau of a capacity search: kept, broken, or proof of nothing."""

from dataclasses import replace

import pytest

from jivsbench.analysis.judgement import judge
from jivsbench.analysis.plateaus import judge_plateau
from jivsbench.analysis.summary import summarize
from jivsbench.model.behaviour import Capacity
from jivsbench.model.gate import GateOutcome
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.record import ArmRecord, GeneratorFacts, SeriesRow
from jivsbench.model.scenario import Question
from tests.unit.analysis_records import MS, SECOND, build_arm_record, build_histogram, build_record

_GENERATOR = GeneratorFacts(0.4, 1.0 * MS, 0, 0, 1000, 10.0)


def _play(planned: list[int], achieved: list[int], jobs: list[int] | None = None) -> ArmRecord:
    """100 calls of 1 to 100 ms, and of each second what was due in it and what ended; the first one is washout."""
    arm = build_arm_record()
    block = replace(arm.blocks[0], start_ns=0, measured_ns=SECOND, end_ns=len(planned) * SECOND)
    rows = (
        SeriesRow(second, 1, done if jobs is None else jobs[second], 0, 0, 0, None, None, None, due, due, done)
        for second, (due, done) in enumerate(zip(planned, achieved, strict=True))
    )
    return replace(arm, series=tuple(rows), blocks=(block,))


_ARM = _play([10] * 5, [9, 10, 10, 10, 10])
_PILING = _play([20] * 5, [9, 10, 10, 10, 10])


def _judge(arm: ArmRecord = _ARM, generator: GeneratorFacts = _GENERATOR, rate: float = 10.0, limit_ms: float = 200.0):
    return judge_plateau(arm, generator, rate, limit_ms * MS)


def test_a_rate_that_is_carried_within_the_limit_is_kept() -> None:
    """10 jobs a second arrive and end, at a p95 of 95 ms."""
    plateau = _judge()

    assert (plateau.kept, plateau.achieved_per_s) == (True, 10.0)
    assert plateau.p95_ns == pytest.approx(95 * MS, rel=0.01)


def test_a_limit_that_is_missed_is_broken() -> None:
    """The limit is 50 ms."""
    assert (_judge(limit_ms=50.0).kept, _judge(limit_ms=50.0).reason) == (False, "p95 was 95.0 ms")


def test_a_limit_that_is_just_missed_is_told_from_what_was_found() -> None:
    """Both would be 95 ms."""
    p95_ms = (_judge().p95_ns or 0.0) / MS
    found = float(_judge(limit_ms=p95_ms - 0.01).reason.removeprefix("p95 was ").removesuffix(" ms"))

    assert found > p95_ms - 0.01


def test_work_that_piles_up_is_broken() -> None:
    """20 arrive a second, 10 end: every call was fast, and a queue grows."""
    plateau = _judge(_PILING, rate=20.0)

    assert (plateau.kept, plateau.achieved_per_s) == (False, 10.0)
    assert plateau.reason == "only 40 of 80 that arrived ended without a failure: work piles up"


def test_iterations_without_a_job_have_ended_as_well() -> None:
    """A mix of which a third only looks at lists: 10 iterations a second arrive and end, 7 of them are jobs."""
    assert _judge(_play([10] * 5, [9, 10, 10, 10, 10], [7] * 5)).kept is True


def test_what_arrives_by_chance_is_held_against_what_ends() -> None:
    """8 a second came instead of the 10 of the rate, as happens with gaps by chance, and all ended."""
    assert _judge(_play([9, 7, 10, 6, 9], [8, 7, 10, 6, 9])).kept is True


def test_one_arrival_under_way_is_no_pile() -> None:
    """Five arrive in the measured seconds: one may end later, two may not."""
    found = [_judge(_play([1, 1, 1, 2, 1], [1, 1, 1, 2, last]), rate=1.2).kept for last in (0, 1)]

    assert found == [True, True]
    assert _judge(_play([1, 1, 1, 2, 1], [1, 1, 1, 1, 0]), rate=1.2).kept is False


def test_failing_jobs_are_no_throughput() -> None:
    """Two of a hundred are one too many."""
    assert _judge(replace(_ARM, job_errors=2)).reason == "2 of 100 jobs failed"


def test_a_saturated_generator_proves_nothing() -> None:
    """Neither kept nor broken."""
    plateau = _judge(generator=replace(_GENERATOR, cpu_ratio=0.99))

    assert plateau.kept is None
    assert "of its core" in plateau.reason


_LATE = replace(_GENERATOR, lag_p99_ns=40.0 * MS)


def test_a_late_generator_proves_what_its_lag_cannot_have_done() -> None:
    """40 ms late: p95 is 95 ms as served and 135 ms as users waited. Both within the limit, both beyond it, and between."""
    calls, *others = _ARM.operations
    waited = build_histogram([number + 40 for number in range(1, 101)])
    late = replace(_ARM, operations=(replace(calls, response=waited), *others))
    within, beyond, between = (_judge(arm=late, generator=_LATE, limit_ms=limit_ms) for limit_ms in (200.0, 94.0, 130.0))

    assert (within.kept, beyond.kept, between.kept) == (True, False, None)
    assert within.reason == "kept, with the load generator's lag as without it"
    assert "lag p99 was 40.0 ms" in between.reason


def test_work_piles_up_behind_a_late_generator_as_well() -> None:
    """All that was planned was sent; half of it ended."""
    assert _judge(_PILING, rate=20.0, generator=_LATE).kept is False


def test_a_generator_whose_lag_nobody_knows_proves_nothing() -> None:
    """Nor can anybody say that it sent what was planned."""
    assert _judge(generator=replace(_GENERATOR, lag_p99_ns=None)).kept is None


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (12.0, 13.0, GateOutcome.MET),
        (8.0, 9.0, GateOutcome.FAILED),
        (9.5, 10.5, GateOutcome.INCONCLUSIVE),
        (12.0, None, GateOutcome.MET),
        (8.0, None, GateOutcome.NO_DATA),
        (None, 5.0, GateOutcome.NO_DATA),
    ],
)
def test_a_gate_on_the_capacity_judges_its_interval(low: float | None, high: float | None, outcome: GateOutcome) -> None:
    """At least 10 jobs a second are asked."""
    record = build_record(_ARM)
    scenario = replace(record.plan.scenario, questions=(Question.CAPACITY,))
    record = replace(
        record, plan=replace(record.plan, scenario=scenario), capacity=Capacity(200.0 * MS, low, high, (), "as planted")
    )

    assert judge(record, summarize(record), [parse_gate("capacity.jobs rate >= 10 jobs/s")]).gates[0].outcome is outcome


def test_a_search_that_was_not_carried_out_has_no_data() -> None:
    """A run that was cut off before it."""
    record = build_record(_ARM)
    record = replace(record, plan=replace(record.plan, scenario=replace(record.plan.scenario, questions=(Question.CAPACITY,))))
    figure = summarize(record).figure("optimized", "capacity.jobs", "rate")

    assert figure is not None
    assert figure.method == "not measured: the search was not carried out"
