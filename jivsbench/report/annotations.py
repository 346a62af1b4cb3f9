"""annotations.txt: workflow commands that GitHub turns into annotations when a step prints them.

GitHub shows ten errors and ten warnings of a step and drops the rest without a word, so the last one says what is left out.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Report, Summary, Verdict, VerdictOutcome
from jivsbench.report.literal import show_literally, show_on_one_line
from jivsbench.report.problems import Problem, Weight, list_problems

MAX_OF_A_KIND: Final = 10
MAX_MESSAGE_CHARACTERS: Final = 4000
"""Of one message; GitHub cuts longer ones."""


class AnnotationsReporter:
    """Renders one line for each annotation, and one notice with the verdict."""

    name = "annotations"
    filename = "annotations.txt"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:  # noqa: ARG002 - problems hold their figures
        """The lines as UTF-8."""
        problems = list_problems(record, verdict)
        errors = [problem for problem in problems if problem.weight in (Weight.FAILURE, Weight.DOUBT)]
        warnings = [problem for problem in problems if problem.weight is Weight.CONDITION]
        if verdict.outcome is VerdictOutcome.CONDITIONAL:
            # A waived failure does not fail the run: it must not look as if it did.
            errors, warnings = [], [*errors, *warnings]
        lines = [
            *_write("error", errors),
            *_write("warning", warnings),
            _command("notice", f"jivsbench: {verdict.outcome}", f"scenario {record.plan.scenario.name}, run {record.run_id}"),
        ]
        return Report(self.name, self.filename, "text/plain; charset=utf-8", ("\n".join(lines) + "\n").encode())


def _write(kind: str, problems: Sequence[Problem]) -> Iterator[str]:
    fits = len(problems) <= MAX_OF_A_KIND
    for problem in problems if fits else problems[: MAX_OF_A_KIND - 1]:
        yield _command(kind, problem.title, problem.text)
    if not fits:
        left = len(problems) - MAX_OF_A_KIND + 1
        yield _command(kind, f"{left} more {kind}s", "see the summary or report.html")


def _command(kind: str, title: str, text: str) -> str:
    message = show_literally(text)
    if len(message) > MAX_MESSAGE_CHARACTERS:
        message = f"{message[:MAX_MESSAGE_CHARACTERS]} [{len(message) - MAX_MESSAGE_CHARACTERS} more characters]"
    return f"::{kind} title={_escape_property(show_on_one_line(title))}::{_escape(message) or '-'}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
