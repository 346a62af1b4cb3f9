"""report.html: one file for whoever decides. Readable offline, with scripts blocked, in print and in the dark."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Report, Summary, Verdict
from jivsbench.report.literal import show_literally
from jivsbench.report.views.page import build_page


class HtmlReporter:
    """Renders the page through templates that escape everything and compute nothing."""

    name = "html"
    filename = "report.html"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:
        """The whole page as UTF-8."""
        page = build_page(record, summary, verdict)
        text = build_environment().get_template("page.html").render(page=page)
        return Report(self.name, self.filename, "text/html; charset=utf-8", text.encode())


@cache
def build_environment() -> Environment:
    """Templates, compiled once, with escaping on; a name that a view does not have is an error, never an empty place."""
    return Environment(
        loader=PackageLoader("jivsbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_show,
    )


def _show(value: object) -> object:
    # What a macro returns is markup that was escaped on its way in; everything else is text that others may have chosen.
    return show_literally(value) if isinstance(value, str) and not isinstance(value, Markup) else value
