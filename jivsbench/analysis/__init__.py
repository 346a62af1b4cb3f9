"""Numbers in, numbers out: aggregates what was measured, compares arms, judges. No clock, no files, no logging."""

from jivsbench.analysis.arms import build_arm
from jivsbench.analysis.effects import pair_effects
from jivsbench.analysis.judgement import judge
from jivsbench.analysis.summary import summarize
from jivsbench.analysis.validity import find_invalidities

__all__ = ["build_arm", "find_invalidities", "judge", "pair_effects", "summarize"]
