"""index.html: every run of a reports folder, newest first, and its figures over time."""

from collections.abc import Mapping, Sequence
from typing import Final

from jivsbench.model.history import HistoryRun, Trend
from jivsbench.model.summary import Report
from jivsbench.report.environment import build_environment
from jivsbench.report.views.index import build_index

INDEX_FILENAME: Final = "index.html"


def render_index(runs: Sequence[HistoryRun], trends: Sequence[Trend], links: Mapping[str, str], made_by: str) -> Report:
    """The page. `links` are relative to it, by run id."""
    page = build_index(runs, trends, links, made_by)
    text = build_environment().get_template("index.html").render(page=page)
    return Report("index", INDEX_FILENAME, "text/html; charset=utf-8", text.encode())
