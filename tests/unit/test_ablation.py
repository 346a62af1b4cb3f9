"""What is turned off, and what the ledger makes of rounds whose effects are planted."""

import json
from contextlib import nullcontext
from dataclasses import replace

import pytest

from jivsbench.analysis.ablation import count_jobs, measure_switch
from jivsbench.app import ablation
from jivsbench.app.ablation import choose_variants
from jivsbench.app.comparison import Load
from jivsbench.config import Settings
from jivsbench.errors import EnvironmentProblem, InterruptedRunError, UnknownNameError
from jivsbench.extract.guards import require_guards
from jivsbench.model.ablation import CLAIMS, Ledger, LedgerRow
from jivsbench.model.profile import LEGACY, OPTIMIZED
from jivsbench.model.sample import ErrorClass, ErrorCount
from jivsbench.plugins import load_registry
from jivsbench.report.ledger import LEDGER_TITLES, format_effects, render_ledger
from tests.listening import ignore
from tests.unit.analysis_records import build_arm_record, build_look, build_record, change_arm

VARIANTS = choose_variants(OPTIMIZED, ("sqlguard", "other"))


def test_every_switch_that_the_profile_uses_is_turned_off_alone():
    """Each variant differs from the profile in that switch; a switch that stands for numbers takes them along."""
    switches = {variant.name: variant.profile for variant in VARIANTS if not variant.is_guard}

    assert set(switches) == {name for name in CLAIMS if name != "pipeline"}
    for name, profile in switches.items():
        assert replace(profile.switches, **{name: getattr(OPTIMIZED.switches, name)}) == OPTIMIZED.switches
        assert getattr(profile.switches, name) == getattr(LEGACY.switches, name)
    assert switches["metadata_pool"].metadata == LEGACY.metadata
    assert switches["pool"].metadata == OPTIMIZED.metadata


def test_every_guard_is_left_out_alone():
    """The others stay; without any, the profile says so in so many words."""
    guards = {variant.name: variant.profile for variant in VARIANTS if variant.is_guard}

    assert {name: profile.guards for name, profile in guards.items()} == {"sqlguard": ("other",), "other": ("sqlguard",)}
    (only,) = choose_variants(OPTIMIZED, ("sqlguard",), ("sqlguard",))
    assert require_guards(only.profile, load_registry().guards) == ()


def test_what_the_profile_does_not_use_cannot_be_turned_off():
    """The message names what can."""
    with pytest.raises(UnknownNameError, match=r"pipeline.*known: .*pool"):
        choose_variants(OPTIMIZED, ("sqlguard",), ("pipeline",))


def play(speedup: float, peak_mib: float, rounds: int):
    """Rounds in which the full profile is that much faster, and its peak that high against 120 MiB."""
    without = build_arm_record(replace(OPTIMIZED, name="without-pool"), pairs=3, jobs=10)
    full = build_arm_record(OPTIMIZED, pairs=3, jobs=round(10 * speedup), job_ms=100 / speedup)
    full = replace(full, monitor=(build_look(0, pss_mib=peak_mib), build_look(1, pss_mib=peak_mib / 2)))
    return [build_record(without, full) for _ in range(rounds)]


def test_pairs_of_all_rounds_count_and_memory_counts_by_round():
    """18 pairs of 6 rounds; twice the throughput, half the time, 10 % more memory."""
    effects = {(effect.metric, effect.statistic): effect for effect in measure_switch(play(2.0, 132.0, 6))}

    assert effects["throughput.records", "rate"].ratio == pytest.approx(2.0)
    assert effects["throughput.records", "rate"].pairs == 18
    assert effects["job.response", "p95"].ratio_high == pytest.approx(0.5)
    assert effects["target.memory", "max"].ratio_low == pytest.approx(1.1)
    assert effects["target.memory", "max"].pairs == 6
    assert effects["target.cpu_per_million_rows", "mean"].ratio is None


def test_few_rounds_have_no_interval_of_memory_and_none_have_no_figure():
    """One peak a round: two rounds are two figures, and no round is no figure."""
    few = measure_switch(play(2.0, 132.0, 2))[-1]

    assert (few.ratio_low, few.ratio) == (None, pytest.approx(1.1))
    assert "at least 6 are needed" in few.method
    assert [effect.ratio for effect in measure_switch([])] == [None] * 5


def test_one_round_has_no_interval_however_many_pairs_it_has():
    """Its pairs know nothing of what other processes of the same code do."""
    (round_,) = play(2.0, 132.0, 1)
    long = replace(round_, arms=tuple(build_arm_record(arm.profile, pairs=40, jobs=10) for arm in round_.arms))
    effects = measure_switch([long])

    assert {(effect.ratio_low, effect.ratio_high) for effect in effects} == {(None, None)}
    assert effects[0].ratio == pytest.approx(1.0)
    assert "1 rounds, at least 6 are needed" in effects[0].method


def test_the_ledger_names_claims_as_claims_and_gaps_as_gaps():
    """A claim stands in its own table, beside what was measured here; what was not measured says so."""
    row = LedgerRow("pool", False, measure_switch(play(2.0, 132.0, 6)), 6, 1, CLAIMS["pool"])
    workload = build_record(build_arm_record()).plan.scenario.workload
    ledger = Ledger("2025-01-01", "2 x cpu", "0", "optimized", workload, 4, 0.5, 7, (row,), ("pipeline",))
    text, content = (report.content.decode() for report in render_ledger(ledger))

    assert dict(zip(LEDGER_TITLES, format_effects(row), strict=True))["CPU a row"] == "not measured"
    assert f"| pool | {format_effects(row)[0]} |" in text
    assert format_effects(row)[0][1:5] == "2.00"
    assert "6 (1 more said nothing)" in text
    assert "Off in this profile, so not measured: pipeline." in text
    assert text.index("## Claims") < text.index(CLAIMS["pool"])
    assert '"claim": "+25 % throughput, -80 ms p95"' in content
    assert "Stopped before" not in text
    assert "Stopped before its last round" in render_ledger(replace(ledger, is_partial=True))[0].content.decode()


def test_the_ledger_says_which_jobs_failed():
    """A switch that makes jobs fail at once would look like a gain: both sides are counted over all rounds, wrong rows too."""
    wrong = (ErrorCount(ErrorClass.WRONG_ROWS, "fewer", 2), ErrorCount(ErrorClass.JOB_FAILED, "failed", 1))
    rounds = [change_arm(record, job_errors=3, all_errors=wrong) for record in play(2.0, 132.0, 6)]
    rounds[0] = replace(rounds[0], arms=(replace(rounds[0].arms[0], job_errors=1), rounds[0].arms[1]))
    row = LedgerRow("pool", False, measure_switch(rounds), 6, 0, jobs=count_jobs(rounds))
    sound = replace(row, name="cache", jobs=count_jobs(play(2.0, 132.0, 6)))
    workload = rounds[0].plan.scenario.workload
    ledger = Ledger("2025-01-01", "2 x cpu", "0", "optimized", workload, 4, 0.5, 7, (row, sound), ())
    text, content = (report.content.decode() for report in render_ledger(ledger))

    assert "- pool: of the jobs 1 of 600 without it failed, 18 of 600 with it failed (12 wrong rows)\n" in text
    assert text.count("of the jobs") == 1
    assert json.loads(content)["rows"][0]["jobs"][1] == {"tried": 600, "failed": 18, "wrong_rows": 12}
    assert "Failed jobs" not in render_ledger(replace(ledger, rows=(sound,)))[0].content.decode()
    assert count_jobs([]) == ()


@pytest.mark.parametrize(
    ("end", "raised"), [(KeyboardInterrupt(), InterruptedRunError), (EnvironmentProblem("no target"), EnvironmentProblem)]
)
def test_whatever_ends_the_rounds_early_leaves_their_ledger(tmp_path, monkeypatch, end, raised):
    """Ctrl-C between two rounds, or a target that does not start: what was measured is written, marked as not whole."""

    def play_some(*arguments):
        played = arguments[3]
        played["pool"] += play(2.0, 132.0, 6)
        raise end

    environment = build_record(build_arm_record()).environment
    monkeypatch.setattr(ablation, "open_servers", lambda *_: nullcontext())
    monkeypatch.setattr(ablation, "prepare", lambda *_: (environment, 1))
    monkeypatch.setattr(ablation, "_play", play_some)
    options = ablation.AblationOptions("optimized", Load(), ("pool",))

    with pytest.raises(raised):
        ablation.ablate(Settings(reports_dir=tmp_path), load_registry(), options, ignore)
    (ledger,) = tmp_path.glob("ablation/*/ledger.md")
    assert "Stopped before its last round" in ledger.read_text()
