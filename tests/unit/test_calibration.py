"""Noise that is planted is found; what follows for gates, plans and files of other machines."""

import json
import random
from dataclasses import replace

import pytest
from click.testing import CliRunner

from jivsbench.analysis import judge, summarize
from jivsbench.analysis.comparison import judge_comparison
from jivsbench.analysis.detectability import detectable_ratio, measure_noise, pairs_needed, share_at_most
from jivsbench.app import calibration as calibrating
from jivsbench.app import calibrations
from jivsbench.app.calibration import find_need
from jivsbench.app.calibrations import find_calibration
from jivsbench.cli.root import root
from jivsbench.config import Settings
from jivsbench.errors import ConfigError, UsageError
from jivsbench.model.calibration import Calibration, Noise
from jivsbench.model.comparison import ComparisonOutcome, ComparisonRule, Criterion
from jivsbench.model.gate import GateOutcome
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.scenario import Stage
from jivsbench.report.calibration_file import read_calibrations, write_calibration
from tests.listening import ignore
from tests.unit.analysis_records import build_block, build_comparison

MEAN = Criterion("job.response", "mean")
RULE = ComparisonRule((MEAN,), 0.05, 0.05, (60,))


def play(source, deviation, between=0.0, ratio=1.0, *, pairs=60, processes=1):
    """Both arms of one comparison whose paired log ratios have that deviation around one of each process's own."""
    own = [ratio * source.lognormvariate(0, between) for _ in range(processes)]
    places = [pair * processes // pairs for pair in range(pairs)]
    baseline = [replace(build_block("a", pair), process=place) for pair, place in enumerate(places)]
    durations = [100 * own[place] * source.lognormvariate(0, deviation) for place in places]
    blocks = enumerate(zip(durations, places, strict=True))
    return baseline, [replace(build_block("b", pair, job_ms=job_ms), process=place) for pair, (job_ms, place) in blocks]


def noise_of(trials):
    """The noise of the mean."""
    return next(noise for noise in measure_noise(trials, RULE) if noise.statistic == "mean")


@pytest.mark.parametrize("processes", [1, 10])
@pytest.mark.parametrize("between", [0.0, 0.03])
def test_planted_noise_is_found_and_told_apart(between, processes):
    """10 % from pair to pair, and 3 % that every pair of processes keeps."""
    source = random.Random(5)
    noise = noise_of([play(source, 0.1, between, processes=processes) for _ in range(60)])

    assert noise.pair_deviation == pytest.approx(0.1, rel=0.1)
    assert noise.process_deviation == pytest.approx(between, abs=0.015)


@pytest.mark.parametrize(("processes", "between"), [(1, 0.0), (6, 0.03), (7, 0.03), (10, 0.03), (12, 0.03)])
def test_the_smallest_effect_is_found_in_about_eighty_percent(processes, between):
    """Planted at exactly the size that is said to be detectable; no margin makes it too small to matter."""
    source = random.Random(6)
    calibration = [play(source, 0.1, between, processes=processes) for _ in range(60)]
    noise = replace(noise_of(calibration), process_deviation=between)
    effect, rule = detectable_ratio(noise, 60, 0.05, processes), replace(RULE, margin_ratio=0.0001)
    trials = [play(source, 0.1, between, 1 + effect, processes=processes) for _ in range(300)]
    found = [judge_comparison(rule, *trial)[0].outcome for trial in trials]

    assert 0.74 <= found.count(ComparisonOutcome.WORSE) / 300 <= 0.87


def test_processes_of_the_same_code_raise_no_false_alarms():
    """Each 3 % away from the code's own speed: 20 of 300 with ten processes are too many, with one process they are usual."""
    source = random.Random(8)
    rule = replace(RULE, margin_ratio=0.0001)
    alarms = {
        processes: sum(
            judge_comparison(rule, *play(source, 0.1, 0.03, processes=processes))[0].outcome is not ComparisonOutcome.INCONCLUSIVE
            for _ in range(300)
        )
        for processes in (1, 10)
    }

    assert alarms[10] <= 24
    assert alarms[1] >= 90


def test_the_plan_is_the_fewest_pairs_that_detect_the_effect():
    """One pair less does not; what processes differ by puts an end to it, unless there are more of them."""
    noise = Noise("job.response", "mean", 0.1, 0.01, 0)
    pairs = pairs_needed(noise, 0.05, 0.05)

    assert detectable_ratio(noise, pairs, 0.05) <= 0.05 < detectable_ratio(noise, pairs - 1, 0.05)
    assert pairs_needed(replace(noise, process_deviation=0.06), 0.05, 0.05) is None
    assert pairs_needed(replace(noise, process_deviation=0.06), 0.05, 0.05, 30) is not None


def test_noise_beyond_all_numbers_detects_nothing():
    """A stored file may say anything; and fewer pairs than an interval needs are never enough, however quiet the machine."""
    wild = Noise("job.response", "mean", 1e9, 0.0, 0)
    quiet = Noise("job.response", "mean", 1e-6, 0.0, 0)

    assert detectable_ratio(wild, 60, 0.05) == float("inf")
    assert pairs_needed(quiet, 0.5, 0.05) == 6
    assert pairs_needed(quiet, 0.5, 0.05, 10) == 10


def test_shares_have_exact_bounds():
    """Clopper and Pearson: none of 59 is below 5 %; 3 of 100 is at most 7.57 %."""
    assert share_at_most(0, 59) == pytest.approx(0.0495, abs=0.0005)
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
    source_label=RECORD.plan.source_label,
    trials=6,
    invalid_trials=0,
    pairs=60,
    processes=1,
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

    assert detectable_ratio(HERE.noises[0], 60, 0.05) == pytest.approx(0.0425, abs=0.0005)
    assert result.outcome is outcome
    if outcome is GateOutcome.INCONCLUSIVE:
        assert "smallest change that so many pairs can show on this machine is 4.25 %" in result.reason


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
    with pytest.raises(ConfigError, match="move it away and calibrate again"):
        read_calibrations(tmp_path)


@pytest.mark.parametrize("content", ['{"format_version": 3}', '{"format_version": 3, "noise": [1], "calibrations": {}}'])
def test_a_calibration_of_a_newer_version_is_kept(tmp_path, content):
    """Whatever its fields are by then: nothing in it is wrong, and nothing is to be thrown away."""
    path = tmp_path / "calibration.json"
    path.write_text(content)

    with pytest.raises(ConfigError, match="has format_version 3, this jivsbench reads up to 2: update jivsbench to read it"):
        read_calibrations(tmp_path)
    with pytest.raises(ConfigError, match="update jivsbench"):
        write_calibration(tmp_path, HERE)
    assert path.read_text() == content


@pytest.mark.parametrize("content", ["{", "[]", '{"format_version": true}', '{"format_version": 1}', "[" * 200_000])
def test_what_is_no_calibration_is_told(tmp_path, content):
    """Cut off, of another kind, or of an older version: one line, and what to do."""
    (tmp_path / "calibration.json").write_text(content)

    with pytest.raises(ConfigError, match="move it away and calibrate again"):
        read_calibrations(tmp_path)


def test_a_plan_says_by_which_load_it_answers(tmp_path, monkeypatch):
    """The newest calibration may be of any load and source, and both decide how noisy it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calibrating, "fingerprint_machine", lambda: "here")
    stages = (Stage(0.0, 7, is_step=True), Stage(0.25, 7))
    old = replace(HERE, machine="here", measured_at="2024-12-31T00:00:00+00:00")
    workload = replace(HERE.workload, rows=12_000)
    new = replace(HERE, machine="here", stages=stages, workload=workload, source_label="postgresql://ann@db/[red]shop")
    for entry in (new, old):
        write_calibration(tmp_path / "reports", entry)
    words = ["plan", "--effect", "10%", "--processes", "1"]
    told = CliRunner().invoke(root, words, standalone_mode=False).stdout
    found = json.loads(CliRunner().invoke(root, [*words, "--json"], standalone_mode=False).stdout)["calibration"]

    assert "by the newest calibration, 2025-01-01T00:00:00+00:00: 6 trials, users 7, rows 12,000, source " in told
    assert "postgresql://ann@db/[red]shop" in told
    assert (found["workload"]["rows"], found["source_label"]) == (12_000, "postgresql://ann@db/[red]shop")


def test_a_calibration_of_another_machine_is_refused(tmp_path, monkeypatch):
    """A plan says so; a run says so and goes on without. Another load has none either."""
    settings = Settings(reports_dir=tmp_path)
    with pytest.raises(UsageError, match="there is none: run `jivsbench calibrate --profile optimized`"):
        find_need(settings, "optimized", MEAN, 0.1, 10)
    write_calibration(tmp_path, HERE)

    with pytest.raises(UsageError, match="measured on other machines"):
        find_need(settings, "optimized", MEAN, 0.1, 10)
    notes: list[object] = []
    assert find_calibration(tmp_path, RECORD.plan, notes.append) is None
    assert "calibrated on another machine" in notes[0].text
    monkeypatch.setattr(calibrating, "fingerprint_machine", lambda: "here")
    monkeypatch.setattr(calibrations, "fingerprint_machine", lambda: "here")
    need = find_need(settings, "optimized", MEAN, 0.1, 8)
    assert need.processes == 8
    with pytest.raises(UsageError, match="3 processes cannot show 95 % confidence"):
        find_need(settings, "optimized", MEAN, 0.1, 3)
    assert need.load_s == 2 * need.pairs * HERE.block_s
    assert find_calibration(tmp_path, RECORD.plan, ignore) == HERE
    for other in (
        replace(RECORD.plan, source_label="another source"),
        replace(RECORD.plan, scenario=replace(RECORD.plan.scenario, stages=())),
    ):
        assert find_calibration(tmp_path, other, ignore) is None
