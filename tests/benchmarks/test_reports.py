"""What the reports of hours of load cost: read the bundle, sum it up, judge it, write every report."""

from pathlib import Path
from typing import Final

import pytest

from jivsbench.app.conclusion import conclude, render_as_written
from jivsbench.plugins import load_registry
from tests.gold.long_runs import long_run

_TWO_HOURS_S: Final = 7_200
_LIMIT_S: Final = 2.0


@pytest.mark.benchmark(group="reports of a soak of 2 h: at most 2 s", min_rounds=3)
def test_render_two_hours(benchmark, tmp_path: Path) -> None:
    """7,200 rows each of load, monitor and servers, within two seconds: the least of three, for others share the machine."""
    registry = load_registry()
    conclude(long_run(_TWO_HOURS_S).record, tmp_path, registry)

    benchmark(render_as_written, tmp_path, registry)

    assert benchmark.stats.stats.min < _LIMIT_S
