"""What it costs to have raw queries judged, as a share of the time that an extraction may wait for it."""

from typing import Final

import pytest

from jivsbench.app.guarding import judge_guards
from jivsbench.plugins import load_registry

LIMIT_MS: Final = 5.0
"""For 95 of 100 statements: what SEC-003 promises."""


@pytest.mark.benchmark(group="guards: both corpora of raw queries")
def test_review(benchmark) -> None:
    """Every hostile and every legitimate statement, judged one by one; not one wrongly."""
    registry = load_registry()
    (judged,) = benchmark.pedantic(judge_guards, args=(registry, "postgres"), rounds=5, warmup_rounds=1)
    benchmark.extra_info["p95_share_of_limit"] = judged.p95_ms / LIMIT_MS

    assert not judged.wrong
    assert judged.p95_ms < LIMIT_MS
