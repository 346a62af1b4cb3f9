"""The study's books: what is summed up, what is played again, and that the docs say exactly what is stored."""

import json
from dataclasses import replace

import pytest

from jivsbench.app.comparison import Load
from tests.benchmarks.aa_study.__main__ import BEGIN, END, PAGE, RESULT, replace_words
from tests.benchmarks.aa_study.playing import Study, TrialFile, find_missing
from tests.benchmarks.aa_study.result import NOT_MEASURED, Trial, render, summarize

STUDY = Study(3, 2, 2, Load(), 1)
EQUAL = Trial(0.0, 1, "EQUIVALENT", "EQUIVALENT", 30, 60, 1.0, 0.97, 1.03, 0, 1000, 10.0, 1000, 10.1, "2025-01-01T00:00:00", 0.5)
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
    """The first one is of equal targets; an invalid trial and one whose line was cut off are played again."""
    path = tmp_path / "trials.jsonl"
    file = TrialFile(path, STUDY)
    kinds = find_missing(STUDY, file.trials)
    assert kinds[0] == 0.0
    assert sorted(kinds) == [0.0, 0.0, 0.0, 0.05, 0.05, 0.1, 0.1]

    file.add(EQUAL)
    file.add(replace(TEN, invalid=("starved",)))
    with path.open("a") as lines:
        lines.write('{"planted_ratio": 0.1, "se')
    again = TrialFile(path, STUDY)

    assert again.trials == file.trials
    assert find_missing(STUDY, again.trials) == kinds[1:]
    assert len(find_missing(replace(STUDY, aa=5), again.trials)) == len(kinds) + 1


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
    result = summarize([EQUAL, EQUAL, TEN, FIVE]) | {"machine": "2 x cpu", "workload": "1,000 rows"}
    page = replace_words(f"a\n{BEGIN}{NOT_MEASURED}\n{END}\nb", render(result))

    assert "| 10 % planted | 1 | found | 100.0 % | at least 95 % |" in page
    assert NOT_MEASURED not in page
    assert page.startswith(f"a\n{BEGIN}|")
    assert page.endswith(f"cases.\n{END}\nb")
