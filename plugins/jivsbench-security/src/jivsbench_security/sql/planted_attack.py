"""What the checks with a schema of their own have in common: where they work, their counters, and their harmless request."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jivsbench.api import CheckContext
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.extractions import IN_FLIGHT, INTERNAL_ERROR, Ending, Extractions, is_refusal, read_slug
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported, SourceUnfitError
from jivsbench_security.own_sessions import CONNECTOR, depending_on_own_sessions
from jivsbench_security.sql.planted_schema import CANARY, CANARY_ROWS, DONE, PlantedSchema, plant_schema

_CREATED: Final = 201
_REFUSED: Final = frozenset({400, 413, 422})
REFUSALS: Final = frozenset({"42501", "25006", "25001"})
"""SQLSTATEs: the role lacks the right, the transaction is read-only, it cannot be done within one."""
_MAX_ACCEPTED: Final = 3
"""So many accepted texts are named and followed; the rest is counted, to leave room for what else is found."""


class PlantedAttack(CountedSession):
    """One run against one target, and the ways to it."""

    def __init__(self, check: Reported, context: CheckContext, schema: PlantedSchema) -> None:
        super().__init__(check)
        self.context = context
        self.schema = schema
        self.extractions = Extractions(context.target)
        self.accepted = 0

    def describe(self) -> str:
        """One line for the result."""
        accepted = f"; {self.accepted} queries accepted" if self.accepted else ""
        return super().describe() + accepted

    def run_benign(self) -> int:
        """1 when the canary's rows come back through the target, else 0."""
        rows = self.read(CANARY)
        return int(rows is not None and sorted((row["id"], row["note"]) for row in rows) == list(CANARY_ROWS))

    def read(self, table: str) -> list[dict[str, Any]] | None:
        """The rows of a planted table or view, extracted by the target; None when the extraction did not complete."""
        ending = self.extract({"table": self.schema.locate(table)})
        return self.context.read_output(ending.job).to_pylist() if ending.is_completed else None

    def extract(self, wanted: Mapping[str, object]) -> Ending:
        """Run an extraction to its end."""
        return self.extractions.run({"source": self.context.source, **wanted})

    def extract_all(self, wanted: Sequence[Mapping[str, object]]) -> list[Ending]:
        """Run many attacks, some at a time, and count them."""
        bodies = [{"source": self.context.source, **one} for one in wanted]
        endings = [
            ending
            for start in range(0, len(bodies), IN_FLIGHT)
            for ending in self.extractions.run_until_met(bodies[start : start + IN_FLIGHT])
        ]
        for ending in endings:
            self.tally.count(is_met=ending.is_verdict, is_refused=ending.is_refused)
        return endings

    def count_outcomes(self, labels: Sequence[str], outcomes: Mapping[str, str]) -> set[str]:
        """Count attempts by what the server said of each. The labels of those that it carried out.

        A function that this server has not, or a word that its version does not know, was refused to nobody.
        """
        for label in labels:
            outcome = outcomes.get(label)
            if outcome is None or outcome == DONE or outcome in REFUSALS:
                self.tally.count(is_met=outcome == DONE, is_refused=outcome in REFUSALS)
            else:
                self.tally.unmade += 1
        return {label for label in labels if outcomes.get(label) == DONE}

    def prove_queries_pass(self) -> None:
        """Raise InvalidRunError when a harmless raw query is refused, too: then it says nothing that hostile ones are."""
        body = {"source": self.context.source, "query": f"SELECT id, note FROM {self.schema.locate(CANARY)}"}  # noqa: S608 - ours
        answer = self.extractions.create(body)
        if answer.status != _CREATED:
            told = f"the target was sent a harmless raw query and answered {answer.status} {read_slug(answer) or ''}".rstrip()
            raise InvalidRunError(f"{told}: that it refuses hostile ones shows nothing")

    def send_query(self, label: str, text: str, title: str) -> None:
        """Send a text as a raw query: it must be refused before anything runs. One that is accepted is started."""
        body = {"source": self.context.source, "query": text.replace("{schema}", self.schema.name)}
        answer = self.extractions.create(body)
        is_refused = answer.status in _REFUSED and is_refusal(answer.status, read_slug(answer))
        self.tally.count(is_met=answer.status in (_CREATED, INTERNAL_ERROR), is_refused=is_refused)
        shown = f"POST /api/v1/extractions with the query {body['query'][:300]!r}"
        if answer.status == _CREATED:
            self.accepted += 1
            if self.accepted <= _MAX_ACCEPTED:
                self.add(title, f"{label}: accepted; once started it ended {self._follow(body)}", shown)
        elif answer.status == INTERNAL_ERROR:
            self.add("a query made the target fail as if by its own fault", f"{label}: status 500", shown, Severity.HIGH)

    def _follow(self, body: Mapping[str, object]) -> str:
        ending = self.extractions.run(body)
        if ending.is_completed and ending.job is not None:
            return f"COMPLETED with {ending.job.get('rows_written')} rows"
        return f"with the error {ending.slug}"


class PlantedCheck(HostileCheck):
    """A check that plants a schema of its own in a PostgreSQL source, and reads it through the target."""

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. Needs a source in which the check may make a schema."""
        if not context.dialect:
            return self._leave_out(context, CheckOutcome.NOT_APPLICABLE, "the source knows no SQL")
        if context.data_source().connector != CONNECTOR:
            reason = "the check's statements and its oracle are those of PostgreSQL by way of the connector postgres"
            return self._leave_out(context, CheckOutcome.NOT_TESTED, reason)
        if context.data_source().tables is not None:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, "the source's list of tables leaves out the check's own")
        try:
            with plant_schema(context.data_source().url) as schema:
                attack = PlantedAttack(self, context, schema)

                def send() -> None:
                    with depending_on_own_sessions():
                        self._send(attack)

                return self._attack(context, attack, send)
        except SourceUnfitError as problem:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, str(problem))

    @abstractmethod
    def _send(self, attack: PlantedAttack) -> None:
        """Everything hostile."""


def iterate_rows(rows: list[dict[str, Any]] | None) -> Iterator[tuple[str, str]]:
    """Label and outcome of each row of a view of attempts; each label once."""
    seen: set[str] = set()
    for row in rows or []:
        if row["label"] not in seen:
            seen.add(row["label"])
            yield row["label"], row["outcome"]
