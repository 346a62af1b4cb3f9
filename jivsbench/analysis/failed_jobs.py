"""Whether the faster of two targets fails more of its jobs: what ends at once because it fails looks fast.

A failed job's duration counts like any other, for a user waited for it too. So a comparison of durations says what it says
only as long as the candidate fails no more often than the baseline, and hands out no wrong rows.
"""

import math
from statistics import NormalDist
from typing import Final

from jivsbench.model.record import ArmRecord, RunRecord
from jivsbench.model.sample import ErrorClass

_NORMAL: Final = NormalDist()
_ALPHA_RATIO: Final = 0.05
"""Of a comparison that no rule judges."""


def tried_jobs(arm: ArmRecord) -> int:
    """A job that was refused was tried but never created, one that was cut off was created but never ended."""
    return max(arm.totals.created, sum(row.jobs for row in arm.series))


def count_wrong(arm: ArmRecord) -> int:
    """Jobs that completed with other rows than were asked for."""
    return sum(error.count for error in arm.all_errors if error.error is ErrorClass.WRONG_ROWS)


def find_failure(record: RunRecord) -> str | None:
    """Why no speed makes up for the candidate's failed jobs: rows are wrong, or it fails more often.

    None when neither is so, and of a run without two sides. Whether a rule or gates alone judge it makes no difference.
    """
    if record.sides is None:
        return None
    alpha_ratio = record.plan.rule.alpha_ratio if record.plan.rule else _ALPHA_RATIO
    baseline, candidate = record.sides
    name = candidate.profile.name
    if wrong := count_wrong(candidate):
        return f"{wrong} jobs of {name} returned wrong rows: no speed makes up for that"
    if _is_larger(baseline, candidate, alpha_ratio):
        return f"{name} fails more jobs: {_describe(candidate)}, {_describe(baseline)}; what fails at once looks fast"
    return None


def describe_failed(record: RunRecord) -> str | None:
    """That jobs failed whose durations are compared; None when none did."""
    failed = [arm for arm in record.sides or () if arm.job_errors]
    if not failed:
        return None
    return f"{', '.join(_describe(arm) for arm in failed)}: their durations were compared as well"


def _describe(arm: ArmRecord) -> str:
    return f"{arm.job_errors} of {tried_jobs(arm)} jobs of {arm.profile.name} failed"


def _is_larger(baseline: ArmRecord, candidate: ArmRecord, alpha_ratio: float) -> bool:
    """One-sided: given how many jobs failed in all, each is as likely the candidate's as its share of the jobs says.

    By the normal approximation of that binomial distribution, with its correction for whole numbers.
    """
    tried = tried_jobs(candidate) + tried_jobs(baseline)
    failed = candidate.job_errors + baseline.job_errors
    if not tried or not failed:
        return False
    share = tried_jobs(candidate) / tried
    spread = math.sqrt(failed * share * (1 - share))
    if not spread:
        return candidate.job_errors > 0 and share < 1
    return (candidate.job_errors - 0.5 - failed * share) / spread > _NORMAL.inv_cdf(1 - alpha_ratio)
