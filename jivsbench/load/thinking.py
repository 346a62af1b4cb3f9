"""How long a user thinks between two iterations."""

import random

from jivsbench.model.scenario import ThinkTime, WorkloadSpec


class Thinker:
    """One user's think times, from a source of their own: what a user asks for does not depend on how it thinks."""

    __slots__ = ("_random", "_spec")

    def __init__(self, spec: WorkloadSpec, seed: int, number: int) -> None:
        self._spec = spec
        self._random = random.Random(f"think:{seed}:{number}")  # noqa: S311 - reproducible load, not a secret

    def pause_s(self) -> float:
        """The next think time."""
        mean_s, spread_s = self._spec.think_time_s, self._spec.think_time_spread_s
        match self._spec.think_time:
            case ThinkTime.CONSTANT:
                return mean_s
            case ThinkTime.UNIFORM:
                return self._random.uniform(mean_s - spread_s, mean_s + spread_s)
            case ThinkTime.EXPONENTIAL:
                return self._random.expovariate(1.0 / mean_s)
