"""How well something that says yes or no tells hostile from legitimate. Numbers in, numbers out."""

import math
from dataclasses import dataclass

_Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Classification:
    """Counts of what was refused and accepted. Hostile is the positive class: recall is the share of hostile that was refused."""

    hostile_refused: int
    hostile_accepted: int
    legitimate_refused: int
    legitimate_accepted: int

    @property
    def precision(self) -> float | None:
        """The share of what was refused that is hostile; None when nothing was refused."""
        return _ratio(self.hostile_refused, self.hostile_refused + self.legitimate_refused)

    @property
    def recall(self) -> float | None:
        """The share of what is hostile that was refused; None when nothing is hostile."""
        return _ratio(self.hostile_refused, self.hostile_refused + self.hostile_accepted)

    @property
    def recall_least(self) -> float | None:
        """The lower end of recall's 95 % interval (Wilson 1927), for statements of the same kinds: 300 of 300 is not certainty.

        None when nothing is hostile.
        """
        return _wilson_lower(self.hostile_refused, self.hostile_refused + self.hostile_accepted)

    @property
    def false_alarm_ratio(self) -> float | None:
        """The share of what is legitimate that was refused; None when nothing is legitimate."""
        return _ratio(self.legitimate_refused, self.legitimate_refused + self.legitimate_accepted)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _wilson_lower(part: int, whole: int) -> float | None:
    if not whole:
        return None
    p, z2 = part / whole, _Z_95**2
    middle = p + z2 / (2 * whole)
    spread = _Z_95 * math.sqrt(p * (1 - p) / whole + z2 / (4 * whole**2))
    # Of nothing refused both terms are the same, and may differ in their last digit: the end never lies above the share.
    return min(p, max(0.0, (middle - spread) / (1 + z2 / whole)))
