"""run.json: the evidence. Every other report can be rendered again from it."""

from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Report, Summary, Verdict
from jivsbench.report.run_file import dump_run


class JsonReporter:
    """Writes the record, the summary and the verdict as they are."""

    name = "json"
    filename = "run.json"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:
        """The whole run as JSON."""
        return Report(self.name, self.filename, "application/json", dump_run(record, summary, verdict))
