"""The host's own plugin: the workloads and the reporters that come with it, through the same door as everybody's."""

from collections.abc import Iterable

from jivsbench.api import Reporter, Workload, hookimpl


@hookimpl
def jivsbench_register_workloads() -> Iterable[Workload]:
    """The workloads `extraction` and `mixed`."""
    from jivsbench.load.extraction import ExtractionWorkload
    from jivsbench.load.mixed import MixedWorkload

    return [ExtractionWorkload(), MixedWorkload()]


@hookimpl
def jivsbench_register_reporters() -> Iterable[Reporter]:
    """HTML for people, JSON for programs, and what CI shows: JUnit, SARIF, Markdown, annotations, a badge, OpenMetrics."""
    from jivsbench.report.annotations import AnnotationsReporter
    from jivsbench.report.badge import BadgeReporter
    from jivsbench.report.html import HtmlReporter
    from jivsbench.report.json import JsonReporter
    from jivsbench.report.junit import JunitReporter
    from jivsbench.report.markdown import CommentReporter, MarkdownReporter
    from jivsbench.report.openmetrics import OpenMetricsReporter
    from jivsbench.report.sarif import SarifReporter

    return [
        AnnotationsReporter(),
        BadgeReporter(),
        CommentReporter(),
        HtmlReporter(),
        JsonReporter(),
        JunitReporter(),
        MarkdownReporter(),
        OpenMetricsReporter(),
        SarifReporter(),
    ]
