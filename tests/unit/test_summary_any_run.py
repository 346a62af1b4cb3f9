"""Whatever a file holds that reads as a run, its figures are computed, or there are none; nothing breaks off."""

import warnings

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from jivsbench.analysis import judge, summarize
from jivsbench.model.record import RunRecord
from jivsbench.report.html import HtmlReporter
from tests.gold.connected_records import connected_records

# Other tests cover the figures, on sensible runs.
pytestmark = pytest.mark.no_cover

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
# A whole run is not made smaller: that takes longer than a test may, and the traceback says where.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=60, phases=_PHASES, suppress_health_check=_SLOW, deadline=None)
@given(connected_records())
def test_every_run_has_figures_a_verdict_and_a_page(record: RunRecord) -> None:
    """Of zeros, of the smallest numbers and of the greatest; the same run gives the same figures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        summary = summarize(record)
        verdict = judge(record, summary, record.plan.scenario.gates)

        assert summarize(record) == summary
        assert HtmlReporter().render(record, summary, verdict)
