"""Arithmetic with figures that were rounded when they were written down: each is a range, and so is what follows.

Interval arithmetic (Moore, 1966): the true result lies within the bounds whenever the true figures lie within theirs.
So two ranges that do not meet are a contradiction, and never a matter of rounding.
"""

import math
from dataclasses import dataclass
from typing import Final, Self

from jivsbench.model.claims import Stated

# Binary fractions and printed decimals differ in the last of some sixteen digits.
DUST_RATIO: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Bounds:
    """From `low` to `high`, both included; never below zero, for nothing that is counted or timed is."""

    low: float
    high: float

    @classmethod
    def of(cls, stated: Stated) -> Self:
        """The range that a stated figure stands for."""
        low, high = find_ends(stated)
        return cls(max(low, 0.0), max(high, 0.0))

    def plus(self, other: "Bounds") -> "Bounds":
        """The range of the sum."""
        return Bounds(self.low + other.low, self.high + other.high)

    def times(self, other: "Bounds") -> "Bounds":
        """The range of the product."""
        return Bounds(self.low * other.low, self.high * other.high)

    def over(self, other: "Bounds") -> "Bounds":
        """The range of the quotient; without an upper end when the divisor may be zero."""
        return Bounds(self.low / other.high if other.high else 0.0, self.high / other.low if other.low else math.inf)

    def widen(self, ratio: float) -> "Bounds":
        """The same, wider by a part of itself on both ends."""
        return Bounds(self.low * (1 - ratio), self.high * (1 + ratio))

    def meets(self, other: "Bounds") -> bool:
        """True when one number can lie in both."""
        return self.low <= other.high and other.low <= self.high

    def may_be_at_most(self, other: "Bounds") -> bool:
        """True when some number in here is no greater than some number in the other."""
        return self.low <= other.high


def find_ends(stated: Stated) -> tuple[float, float]:
    """Between which two a stated figure lies; below zero as well, for a change or a limit may be."""
    slack = stated.slack + abs(stated.value) * DUST_RATIO
    return stated.value - slack, stated.value + slack


def add_up(stated: tuple[Stated, ...]) -> Bounds:
    """The range of the sum of stated figures."""
    total = Bounds(0.0, 0.0)
    for figure in stated:
        total = total.plus(Bounds.of(figure))
    return total
