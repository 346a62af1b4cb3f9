"""From trials to the stored result and to its words in the docs. Pure: numbers in, numbers and text out."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from jivsbench.analysis.detectability import share_at_most

ALARMS = ("WORSE", "BETTER")
NOT_MEASURED = "Not measured yet: the study has not been run to its end on any machine."
MARGIN_RATIO = 0.05


@dataclass(frozen=True)
class Trial:
    """One comparison. `planted_ratio` is what was meant to be planted: 0, 0.05 or 0.1."""

    planted_ratio: float
    seed: int
    started_at: str
    load_average_1m: float
    machine: str
    """What a reader knows it by."""
    machine_id: str
    """What it is known again by (`fingerprint_machine`)."""
    version: str
    outcome: str = ""
    sequential_outcome: str = ""
    sequential_pairs: int = 0
    pairs: int = 0
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    baseline_jobs: int = 0
    baseline_mean_ms: float = 0.0
    candidate_jobs: int = 0
    candidate_mean_ms: float = 0.0
    invalid: tuple[str, ...] = ()


def summarize(trials: Sequence[Trial]) -> dict[str, object]:
    """The figures of the study. A kind without a valid trial has ratios of None."""
    valid = [trial for trial in trials if not trial.invalid]
    equal = [trial for trial in valid if not trial.planted_ratio]
    ten = [trial for trial in valid if trial.planted_ratio == 0.1]
    five = [trial for trial in valid if trial.planted_ratio == 0.05]
    alarms = sum(trial.outcome in ALARMS for trial in equal)
    return {
        "aa_trials": len(equal),
        "false_alarms": alarms,
        "false_alarm_ratio": _share(alarms, len(equal)),
        "false_alarm_ratio_at_most": share_at_most(alarms, len(equal)) if equal else None,
        **_describe_planted(ten, ""),
        **_describe_planted(five, "_5"),
        "half_width_ratio_median": _median(
            [math.sqrt(trial.ratio_high / trial.ratio_low) - 1 for trial in equal if trial.ratio_low and trial.ratio_high]
        ),
        "sequential": {
            "false_alarm_ratio": _share(sum(trial.sequential_outcome in ALARMS for trial in equal), len(equal)),
            "detected_ratio": _share(sum(trial.sequential_outcome == "WORSE" for trial in ten), len(ten)),
            "detected_ratio_5": _share(sum(trial.sequential_outcome == "WORSE" for trial in five), len(five)),
            "pairs_mean": _share(sum(trial.sequential_pairs for trial in valid), len(valid)),
        },
        "one_after_the_other_alarm_ratio": _one_after_the_other(equal),
        "invalid_trials": len(trials) - len(valid),
        "seeds": [trial.seed for trial in trials],
        "date": max((trial.started_at[:10] for trial in trials), default=None),
        "machine": _list_known(trial.machine for trial in trials),
        "machines": len({trial.machine_id for trial in trials}),
        "jivsbench_version": _list_known(trial.version for trial in trials),
        "load_average_1m_max": max((trial.load_average_1m for trial in trials), default=None),
    }


def render(result: dict | None) -> str:
    """The result in words, for the docs."""
    if result is None:
        return NOT_MEASURED
    rows = (
        ("equal targets", result["aa_trials"], "false alarms", result["false_alarm_ratio"], "at most 5 %"),
        ("10 % planted", result["planted_trials"], "found", result["detected_ratio"], "at least 95 %"),
        ("5 % planted", result["planted_trials_5"], "found", result["detected_ratio_5"], "at least 80 %"),
    )
    looks = result["sequential"]
    story = (
        f"{result['date']}, {result['machine']}; {result['workload']}. On pooled data the planted 10 % were "
        f"{_percent(result['planted_effect_ratio'])}, the planted 5 % were {_percent(result['planted_effect_ratio_5'])}. "
        f"Half-width of the interval: {_percent(result['half_width_ratio_median'])} (median). "
        f"{result['invalid_trials']} further comparisons said nothing and are not counted. "
        "With looks on the way instead of one at the end: "
        f"{_percent(looks['false_alarm_ratio'])} false alarms, {_percent(looks['detected_ratio'])} and "
        f"{_percent(looks['detected_ratio_5'])} found, after {looks['pairs_mean']:.0f} pairs on average. Equal targets set side "
        "by side from one run to the next, as stored runs are, differed by more than 5 % in "
        f"{_percent(result['one_after_the_other_alarm_ratio'])} of cases."
    )
    table = [f"| {name} | {count} | {what} | {_percent(share)} | {goal} |" for name, count, what, share, goal in rows]
    head = ["| targets | comparisons | what | share | to reach |", "|---|---|---|---|---|"]
    return "\n".join([*head, *table, "", story])


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.1f} %"


def _describe_planted(trials: Sequence[Trial], suffix: str) -> dict[str, object]:
    found = sum(trial.outcome == "WORSE" for trial in trials)
    return {
        f"planted_trials{suffix}": len(trials),
        f"detected{suffix}": found,
        f"detected_ratio{suffix}": _share(found, len(trials)),
        f"detected_ratio{suffix}_at_least": 1.0 - share_at_most(len(trials) - found, len(trials)) if trials else None,
        f"planted_effect_ratio{suffix}": _pooled_effect(trials),
    }


def _pooled_effect(trials: Sequence[Trial]) -> float | None:
    """What was really planted: all jobs of the one side against all jobs of the other, whatever the blocks say."""
    if not trials:
        return None
    before = sum(trial.baseline_jobs * trial.baseline_mean_ms for trial in trials) / sum(t.baseline_jobs for t in trials)
    after = sum(trial.candidate_jobs * trial.candidate_mean_ms for trial in trials) / sum(t.candidate_jobs for t in trials)
    return after / before - 1


def _one_after_the_other(trials: Sequence[Trial]) -> float | None:
    """How often the same side of two equal trials, one after the other, differs by more than the margin."""
    ordered = pairwise(sorted(trials, key=lambda trial: trial.started_at))
    neighbours = [(before, later) for before, later in ordered if before.machine_id == later.machine_id]
    ratios = [later.baseline_mean_ms / before.baseline_mean_ms for before, later in neighbours]
    return _share(sum(max(ratio, 1 / ratio) > 1 + MARGIN_RATIO for ratio in ratios), len(ratios))


def _list_known(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _median(values: Sequence[float]) -> float | None:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else None
