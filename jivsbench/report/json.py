"""run.json: the evidence. Every other report can be rendered again from it."""

from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Report, Summary, Verdict


class JsonReporter:
    """Writes the record, the summary and the verdict as they are."""

    name = "json"
    filename = "run.json"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:
        """The whole run as JSON."""
        # pydantic takes a tenth of a second to load, and every command loads the reporters.
        from jivsbench.report.run_file import dump_run

        return Report(self.name, self.filename, "application/json", dump_run(record, summary, verdict))
