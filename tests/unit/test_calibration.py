"""Noise that is planted is found; what follows for gates, plans and files of other machines."""

import random
from dataclasses import replace

import pytest

from jivsbench.analysis import judge, summarize
from jivsbench.analysis.comparison import judge_comparison
from jivsbench.analysis.detectability import detectable_ratio, measure_noise, pairs_needed, share_at_least, share_at_most
from jivsbench.app import calibration as calibrating
from jivsbench.app import calibrations
from jivsbench.app.calibration import find_need
from jivsbench.app.calibrations import find_calibration
from jivsbench.config import Settings
from jivsbench.errors import ConfigError, UsageError
from jivsbench.model.calibration import Calibration, Noise
from jivsbench.model.comparison import ComparisonOutcome, ComparisonRule, Criterion
from jivsbench.model.gate import GateOutcome
from jivsbench.model.gate_text import parse_gate
from jivsbench.report.calibration_file import read_calibrations, write_calibration
from tests.unit.analysis_records import build_block, build_comparison

MEAN = Criterion("job.response", "mean")
RULE = ComparisonRule((MEAN,), 0.05, 0.05, (60,))


def play(source, deviation, between=0.0, ratio=1.0, pairs=60):
    """Both arms of one comparison whose paired log ratios have that deviation around one of the processes' own."""
    own = ratio * source.lognormvariate(0, between)
    baseline = [build_block("a", pair) for pair in range(pairs)]
    return baseline, [build_block("b", pair, job_ms=100 * own * source.lognormvariate(0, deviation)) for pair in range(pairs)]


def noise_of(trials):
    """The noise of the mean."""
    return next(noise for noise in measure_noise(trials, RULE) if noise.statistic == "mean")


@pytest.mark.parametrize("between", [0.0, 0.03])
def test_planted_noise_is_found_and_told_apart(between):
    """10 % from pair to pair, and 3 % that every pair of processes keeps."""
    source = random.Random(5)
    noise = noise_of([play(source, 0.1, between) for _ in range(60)])

    assert noise.pair_deviation == pytest.approx(0.1, rel=0.1)
    assert noise.trial_deviation == pytest.approx(between, abs=0.01)


def test_the_smallest_effect_is_found_in_about_eighty_percent():
    """Planted at exactly the size that is said to be detectable; no margin makes it too small to matter."""
    source = random.Random(6)
    noise = replace(noise_of([play(source, 0.1) for _ in range(60)]), trial_deviation=0.0)
    effect, rule = detectable_ratio(noise, 60, 0.05), replace(RULE, margin_ratio=0.0001)
    found = [judge_comparison(rule, *play(source, 0.1, ratio=1 + effect))[0].outcome for _ in range(300)]

    assert 0.74 <= found.count(ComparisonOutcome.WORSE) / 300 <= 0.87


def test_the_plan_is_the_fewest_pairs_that_detect_the_effect():
    """One pair less does not; what processes differ by puts an end to it."""
    noise = Noise("job.response", "mean", 0.1, 0.01, 0)
    pairs = pairs_needed(noise, 0.05, 0.05)

    assert detectable_ratio(noise, pairs, 0.05) <= 0.05 < detectable_ratio(noise, pairs - 1, 0.05)
    assert pairs_needed(replace(noise, trial_deviation=0.06), 0.05, 0.05) is None


def test_shares_have_exact_bounds():
    """Clopper and Pearson: none of 59 is below 5 %, all of 59 above 95 %; 3 of 100 is at most 7.57 %."""
    assert share_at_most(0, 59) == pytest.approx(0.0495, abs=0.0005)
    assert share_at_least(59, 59) == pytest.approx(0.9505, abs=0.0005)
    assert share_at_most(3, 100) == pytest.approx(0.0757, abs=0.0003)
    assert share_at_most(5, 5) == 1.0


RECORD = build_comparison(60, speedup=1.0)
HERE = Calibration(
    measured_at="2025-01-01T00:00:00+00:00",
    machine="here",
    machine_label="2 x cpu",
    jivsbench_version="0",
    profile="optimized",
    workload=RECORD.plan.scenario.workload,
    stages=RECORD.plan.scenario.stages,
    source_label="embedded",
    trials=6,
    invalid_trials=0,
    pairs=60,
    alpha_ratio=0.05,
    seeds=(1,),
    noises=(Noise("job.response", "mean", 0.11, 0.0, 0),),
)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("job.response mean growth <= 2 %", GateOutcome.INCONCLUSIVE),
        ("job.response mean growth <= 2 % warn", GateOutcome.INCONCLUSIVE),
        ("job.response mean growth <= 0 %", GateOutcome.INCONCLUSIVE),
        ("job.response mean growth <= 5 %", GateOutcome.MET),
        ("job.response p95 growth <= 2 %", GateOutcome.MET),
        ("job.response mean reduction >= 2 %", GateOutcome.FAILED),
    ],
)
def test_a_gate_that_asks_for_less_than_this_machine_can_show_is_never_green(text, outcome):
    """4 % is the smallest effect of 60 pairs here: 2 % cannot be promised, 5 % can; what is not known stays as it was."""
    record = replace(RECORD, calibration=HERE)
    (result,) = judge(record, summarize(record), (parse_gate(text),)).gates

    assert detectable_ratio(HERE.noises[0], 60, 0.05) == pytest.approx(0.041, abs=0.001)
    assert result.outcome is outcome
    if outcome is GateOutcome.INCONCLUSIVE:
        assert "smallest change that so many pairs can show on this machine is 4.06 %" in result.reason


def test_a_small_limit_is_green_when_what_was_found_is_far_beyond_it():
    """Twice as fast is shown on any machine, even where a gate only asks that nothing grows."""
    record = replace(build_comparison(60), calibration=HERE)
    (result,) = judge(record, summarize(record), (parse_gate("job.response mean growth <= 0 %"),)).gates

    assert result.outcome is GateOutcome.MET


def test_the_file_keeps_one_entry_a_load_and_machine(tmp_path):
    """The newer replaces the older; those of other profiles stay."""
    write_calibration(tmp_path, HERE)
    write_calibration(tmp_path, replace(HERE, profile="legacy"))
    path = write_calibration(tmp_path, replace(HERE, trials=9))

    assert [(entry.profile, entry.trials) for entry in read_calibrations(tmp_path)] == [("legacy", 6), ("optimized", 9)]
    path.write_text("{}")
    with pytest.raises(ConfigError, match="delete it and calibrate again"):
        read_calibrations(tmp_path)


def test_a_calibration_of_another_machine_is_refused(tmp_path, monkeypatch):
    """A plan says so; a run goes on as if there were none."""
    settings = Settings(reports_dir=tmp_path)
    with pytest.raises(UsageError, match="there is none: run `jivsbench calibrate --profile optimized`"):
        find_need(settings, "optimized", MEAN, 0.1)
    write_calibration(tmp_path, HERE)

    with pytest.raises(UsageError, match="measured on other machines"):
        find_need(settings, "optimized", MEAN, 0.1)
    assert find_calibration(tmp_path, RECORD.plan) is None
    monkeypatch.setattr(calibrating, "fingerprint_machine", lambda: "here")
    monkeypatch.setattr(calibrations, "fingerprint_machine", lambda: "here")
    need = find_need(settings, "optimized", MEAN, 0.1)
    assert need.load_s == 2 * need.pairs * HERE.block_s
    assert find_calibration(tmp_path, RECORD.plan) == HERE
    other = replace(RECORD.plan.scenario, workload=replace(RECORD.plan.scenario.workload, rows=5000))
    assert find_calibration(tmp_path, replace(RECORD.plan, scenario=other)) is None
