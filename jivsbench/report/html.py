"""report.html: one file for whoever decides. Readable offline, with scripts blocked, in print and in the dark."""

from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Report, Summary, Verdict


class HtmlReporter:
    """Renders the page through templates that escape everything and compute nothing."""

    name = "html"
    filename = "report.html"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:
        """The whole page as UTF-8."""
        # Every command loads the reporters, few render: jinja2 comes only with those.
        from jivsbench.report.environment import build_environment
        from jivsbench.report.views.page import build_page

        page = build_page(record, summary, verdict)
        text = build_environment().get_template("page.html").render(page=page)
        return Report(self.name, self.filename, "text/html; charset=utf-8", text.encode())
