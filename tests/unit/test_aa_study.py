"""The study's books: what is summed up, what is played again, and that the docs say exactly what is stored."""

import json
from dataclasses import replace

import pytest

from jivsbench.app.comparison import Load
from tests.benchmarks.aa_study.__main__ import BEGIN, END, PAGE, RESULT, replace_words
from tests.benchmarks.aa_study.playing import Study, TrialFile, find_missing, format_left, is_hopeless
from tests.benchmarks.aa_study.result import NOT_MEASURED, Trial, render, summarize
from tests.planted_share import COMES_TO, SharingGuard

STUDY = Study(3, 2, 2, Load(), 1)
EQUAL = Trial(
    planted_ratio=0.0,
    seed=1,
    started_at="2025-01-01T00:00:00",
    load_average_1m=0.5,
    machine="2 x cpu",
    machine_id="one",
    version="1.0",
    outcome="EQUIVALENT",
    sequential_outcome="EQUIVALENT",
    sequential_pairs=30,
    pairs=60,
    ratio=1.0,
    ratio_low=0.97,
    ratio_high=1.03,
    baseline_jobs=1000,
    baseline_mean_ms=10.0,
    candidate_jobs=1000,
    candidate_mean_ms=10.1,
)
TEN = replace(EQUAL, planted_ratio=0.1, outcome="WORSE", sequential_outcome="WORSE", candidate_mean_ms=11.0)
FIVE = replace(EQUAL, planted_ratio=0.05, outcome="INCONCLUSIVE", candidate_mean_ms=10.5)


def test_shares_are_of_valid_trials_and_effects_are_pooled():
    """One false alarm of four, two of two found, none of one; a trial that says nothing counts nowhere."""
    alarm = replace(EQUAL, outcome="BETTER", baseline_mean_ms=12.0)
    spoilt = replace(EQUAL, outcome="", invalid=("starved",))
    result = summarize([EQUAL, EQUAL, alarm, EQUAL, spoilt, TEN, TEN, FIVE])

    assert (result["aa_trials"], result["false_alarm_ratio"]) == (4, 0.25)
    assert (result["planted_trials"], result["detected_ratio"]) == (2, 1.0)
    assert (result["planted_trials_5"], result["detected_ratio_5"]) == (1, 0.0)
    assert result["planted_effect_ratio"] == pytest.approx(0.1)
    assert result["planted_effect_ratio_5"] == pytest.approx(0.05)
    assert result["one_after_the_other_alarm_ratio"] == pytest.approx(2 / 3)
    assert result["invalid_trials"] == 1
    assert result["sequential"]["detected_ratio"] == 1.0


def test_nothing_played_has_no_shares():
    """None, not 0."""
    result = summarize([])

    assert (result["aa_trials"], result["false_alarm_ratio"], result["detected_ratio_5"]) == (0, None, None)


def test_trials_are_kept_and_only_the_missing_ones_are_played(tmp_path):
    """An invalid trial, and one whose line was cut off, is played again; the line that follows a torn one is whole."""
    path = tmp_path / "trials.jsonl"
    file = TrialFile(path, STUDY)
    kinds = find_missing(STUDY, file.trials)
    assert sorted(kinds) == [0.0, 0.0, 0.0, 0.05, 0.05, 0.1, 0.1]

    file.add(replace(EQUAL, planted_ratio=kinds[0]))
    file.add(replace(TEN, invalid=("starved",)))
    with path.open("a") as lines:
        lines.write('{"planted_ratio": 0.1, "se')
    again = TrialFile(path, STUDY)
    again.add(replace(EQUAL, planted_ratio=kinds[1]))

    assert again.trials[:-1] == file.trials
    assert TrialFile(path, STUDY).trials == again.trials
    assert find_missing(STUDY, again.trials) == kinds[2:]
    assert len(find_missing(replace(STUDY, aa=5), again.trials)) == len(kinds)


def test_every_stretch_of_the_study_has_all_kinds():
    """In each ninth part of the whole study there are about five equal trials, two of 10 % and two of 5 %."""
    kinds = replace(STUDY, aa=100, planted_10=40, planted_5=40).list_kinds()
    parts = [kinds[first : first + 20] for first in range(0, 180, 20)]

    assert all(9 <= part.count(0.0) <= 13 for part in parts)
    assert all(3 <= part.count(kind) <= 6 for part in parts for kind in (0.1, 0.05))


def test_trials_of_several_machines_are_one_study(tmp_path, monkeypatch):
    """The file does not ask where it is gone on with; the result names every machine and compares none with another."""
    path = tmp_path / "trials.jsonl"
    TrialFile(path, STUDY).add(EQUAL)
    monkeypatch.setattr("jivsbench.app.environment._machine_id", lambda: "elsewhere")
    file = TrialFile(path, STUDY)
    file.add(replace(EQUAL, machine="8 x cpu", machine_id="other", baseline_mean_ms=1.0))
    result = summarize(file.trials)

    assert (result["aa_trials"], result["machine"], result["machines"]) == (2, "2 x cpu; 8 x cpu", 2)
    assert result["one_after_the_other_alarm_ratio"] is None


def test_the_rest_is_told_in_hours_and_minutes():
    """Rounded up: nobody waits longer than was said."""
    assert (format_left(0.0), format_left(61.0), format_left(7_300.0)) == ("0 h 00 min", "0 h 02 min", "2 h 02 min")


def test_a_machine_that_is_too_busy_ends_the_study():
    """Ten trials in a row that say nothing; one that says something begins the count anew."""
    spoilt = replace(EQUAL, invalid=("starved",))

    assert is_hopeless([EQUAL, *[spoilt] * 10])
    assert not is_hopeless([*[spoilt] * 9, EQUAL, *[spoilt] * 9])
    assert not is_hopeless([spoilt] * 9)


class _Machine:
    """A clock that only sleeping and working move; it oversleeps, as every machine does."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def clock(self) -> float:
        return self.now_s

    def sleep(self, wanted_s: float) -> None:
        self.now_s += wanted_s + 0.0001


def test_what_is_planted_follows_the_speed_of_the_machine():
    """The same share of fast and of slow jobs, after the time that it takes to see the change; pauses are no jobs."""
    machine = _Machine()
    guard = SharingGuard(0.1, machine.clock, machine.sleep)
    shares = {}
    for job_s in (0.02, 0.05):
        for number in range(200):
            before_s = machine.now_s
            guard._lengthen()
            planted_s = machine.now_s - before_s
            machine.now_s += job_s + (0.3 if number % 10 == 9 else 0.0)
        shares[job_s] = COMES_TO * planted_s / job_s

    assert shares == {0.02: pytest.approx(0.1, rel=0.01), 0.05: pytest.approx(0.1, rel=0.01)}


def test_a_file_of_another_load_is_not_gone_on_with(tmp_path):
    """Trials of different loads are no study."""
    path = tmp_path / "trials.jsonl"
    TrialFile(path, STUDY)

    with pytest.raises(SystemExit, match="trials of another load"):
        TrialFile(path, replace(STUDY, load=Load(users=9)))


def test_the_docs_say_what_is_stored_and_nothing_else():
    """The words between the marks are those of docs/studies/aa.json, or that there is none."""
    stored = json.loads(RESULT.read_text()) if RESULT.exists() else None

    assert PAGE.read_text().split(BEGIN)[1].split(END)[0] == render(stored) + "\n"


def test_a_stored_result_is_told_with_its_counts():
    """Every share with how many comparisons stand behind it, and what was to be reached."""
    result = summarize([EQUAL, EQUAL, TEN, FIVE]) | {"workload": "1,000 rows"}
    page = replace_words(f"a\n{BEGIN}{NOT_MEASURED}\n{END}\nb", render(result))

    assert "| 10 % planted | 1 | found | 100.0 % | at least 95 % |" in page
    assert NOT_MEASURED not in page
    assert page.startswith(f"a\n{BEGIN}|")
    assert page.endswith(f"cases.\n{END}\nb")
