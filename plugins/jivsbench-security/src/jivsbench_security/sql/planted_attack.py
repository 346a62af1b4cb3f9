"""What the checks with a schema of their own have in common: where they work, their counters, and their harmless request."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final

import psycopg

from jivsbench.api import CheckContext
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench_security.extractions import IN_FLIGHT, INTERNAL_ERROR, Ending, Extractions, read_slug
from jivsbench_security.hostile_check import HostileCheck
from jivsbench_security.sql.injection_session import Reported
from jivsbench_security.sql.planted_schema import CANARY, CANARY_ROWS, PlantedSchema, plant_schema

_CREATED: Final = 201
_REFUSED: Final = frozenset({400, 413, 422})
_MAX_FINDINGS: Final = 6
_MAX_ACCEPTED: Final = 3
"""So many accepted texts are named and followed; the rest is counted, to leave room for what else is found."""
CONNECTOR: Final = "postgres"
"""The parts that are switched off in the positive controls are this connector's."""


class PlantedAttack:
    """The counters and findings of one run against one target, and the ways to it."""

    def __init__(self, check: Reported, context: CheckContext, schema: PlantedSchema) -> None:
        self._check = check
        self.context = context
        self.schema = schema
        self.extractions = Extractions(context.target)
        self.attempted = 0
        self.reached = 0
        self.unanswered = 0
        self.accepted = 0
        self.findings: list[Finding] = []
        self.remarks: list[str] = []
        """What was seen besides, for the result's line."""

    def describe(self) -> str:
        """One line for the result."""
        counts = f"{self.attempted} attacks sent, {self.reached} met by the target, {len(self.findings)} found a hole"
        accepted = [f"{self.accepted} queries accepted"] if self.accepted else []
        return "; ".join([counts, *accepted, *self.remarks])

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
            for ending in self.extractions.run_all(bodies[start : start + IN_FLIGHT])
        ]
        for ending in endings:
            self.count(is_met=ending.is_verdict)
        return endings

    def count(self, *, is_met: bool) -> None:
        """One attack was sent; `is_met` when the answer says that it was met."""
        self.attempted += 1
        self.reached += is_met
        self.unanswered += not is_met

    def send_query(self, label: str, text: str, title: str) -> None:
        """Send a text as a raw query: it must be refused before anything runs. One that is accepted is started."""
        body = {"source": self.context.source, "query": text.replace("{schema}", self.schema.name)}
        answer = self.extractions.create(body)
        is_refused = answer.status in _REFUSED and read_slug(answer) is not None
        self.count(is_met=is_refused or answer.status in (_CREATED, INTERNAL_ERROR))
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

    def add(self, title: str, evidence: str, reproducer: str, severity: Severity | None = None) -> None:
        """Note a hole; after six of them the verdict stands."""
        if len(self.findings) < _MAX_FINDINGS:
            severity = severity or self._check.severity
            self.findings.append(Finding(self._check.id, severity, title, evidence, reproducer))


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
        with ExitStack() as exits:
            try:
                schema = exits.enter_context(plant_schema(context.data_source().url))
            except psycopg.errors.InsufficientPrivilege:
                return self._leave_out(context, CheckOutcome.NOT_TESTED, "the source's user may not make a schema for the check")
            attack = PlantedAttack(self, context, schema)
            return self._attack(context, attack, lambda: self._send(attack))

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
