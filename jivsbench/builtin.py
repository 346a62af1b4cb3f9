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
    """HTML, JSON, JUnit and Markdown."""
    from jivsbench.report.html import HtmlReporter
    from jivsbench.report.json import JsonReporter
    from jivsbench.report.junit import JunitReporter
    from jivsbench.report.markdown import MarkdownReporter

    return [HtmlReporter(), JsonReporter(), JunitReporter(), MarkdownReporter()]
