"""SEC-003: the raw-query guard. Hostile texts must be refused when the extraction is created, legitimate ones must not."""

import json
from collections.abc import Sequence
from typing import Final

from jivsbench.api import CheckContext, LabelledStatement, Response, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.table import ExtractionRequest, TableName, add_up_counts, parse_table_name
from jivsbench_security.corpora import Statement, load_hostile, load_legitimate
from jivsbench_security.extractions import INTERNAL_ERROR, Extractions, is_refusal, read_slug
from jivsbench_security.hostile_check import CountedSession, HostileCheck

_CREATED: Final = 201
_REFUSED: Final = 422
_TOO_LARGE: Final = 413
_CAP_BYTES: Final = 64 * 1024


class RawQueryCheck(HostileCheck):
    """Sends both corpora as raw queries. Only a few legitimate ones, over a table that exists, are started."""

    id = "SEC-003"
    title = "Raw queries: every hostile text is refused, every legitimate query is accepted"
    # A hole here gives away the whole source.
    severity = Severity.CRITICAL
    cwe = ("CWE-89", "CWE-184")
    # A guard that looks at the first word.
    vulnerable = TargetVariant(
        "vulnerable-prefix", plugins=("jivsbench.testing.vulnerable.prefix_guard",), guards=("vulnerable-prefix",)
    )

    def run(self, context: CheckContext) -> CheckResult:
        """Attack."""
        hostile = load_hostile(context.dialect)
        if not context.dialect:
            return self._leave_out(context, CheckOutcome.NOT_APPLICABLE, "the source knows no SQL")
        if not hostile:
            reason = f"the corpus holds no statements in the source's SQL, {context.dialect}"
            return self._leave_out(context, CheckOutcome.NOT_TESTED, reason)
        session = _Session(self, context)

        def send() -> None:
            session.send_hostile((*hostile, *build_oversized()))
            if context.data_source().tables is None:
                # With a list of tables, refusing the corpus's tables would be right.
                session.send_legitimate(load_legitimate(context.dialect))
            else:
                session.remarks.append("the source has a list of tables: no legitimate query over others was sent")

        return self._attack(context, session, send)

    def statements(self, dialect: str) -> tuple[LabelledStatement, ...]:
        """Both corpora, and the texts beyond 64 KiB, with their labels."""
        hostile = load_hostile(dialect)
        sent = ((*hostile, *build_oversized()), True), (load_legitimate(dialect), False)
        return tuple(LabelledStatement(one.name, one.sql, is_hostile) for texts, is_hostile in sent if hostile for one in texts)


def build_oversized() -> tuple[Statement, ...]:
    """Texts beyond 64 KiB; the first would be a harmless query, were it shorter."""
    head = "SELECT 1 -- "
    return (
        Statement("oversized", 1, head + "x" * (_CAP_BYTES + 1 - len(head))),
        Statement("oversized", 2, "SELECT 1 WHERE 1 IN (" + "1," * (20 * _CAP_BYTES // 2) + "1)"),
    )


class _Session(CountedSession):
    """One run against one target."""

    most_findings = 50

    def __init__(self, check: RawQueryCheck, context: CheckContext) -> None:
        super().__init__(check)
        self._context = context
        self._extractions = Extractions(context.target)
        self._hostile = 0

    def describe(self) -> str:
        """One line for the result."""
        sent = f"{self._hostile} hostile and {self.attempted - self._hostile} legitimate queries sent"
        return "; ".join([f"{sent}, {len(self.findings)} judged wrongly", *self.remarks])

    def run_benign(self) -> int:
        """How many of a few legitimate queries over the seeded table brought back what the oracle says."""
        table = parse_table_name(self._context.table)
        rows = self._count_rows(table)
        return sum(self._comes_back(query, wanted) for query, wanted in build_benign(table, rows))

    def send_hostile(self, statements: Sequence[Statement]) -> None:
        """Each must be refused by a guard."""
        for statement in statements:
            self._hostile += 1
            answer = self._create(statement)
            is_refused = answer.status == _TOO_LARGE or (
                answer.status == _REFUSED and is_refusal(answer.status, read_slug(answer))
            )
            self._count(statement, answer, is_refused=is_refused)
            if answer.status == _CREATED:
                self._tell(statement, Severity.CRITICAL, "a hostile query was accepted", answer)

    def send_legitimate(self, statements: Sequence[Statement]) -> None:
        """Each must be accepted."""
        for statement in statements:
            answer = self._create(statement)
            is_refused = answer.status == _REFUSED
            self._count(statement, answer, is_refused=is_refused)
            if is_refused:
                self._tell(statement, Severity.MEDIUM, "a legitimate query was refused", answer)

    def _count(self, statement: Statement, answer: Response, *, is_refused: bool) -> None:
        is_crash = answer.status == INTERNAL_ERROR
        self.tally.count(is_met=is_crash or answer.status == _CREATED, is_refused=is_refused)
        if is_crash:
            self._tell(statement, Severity.HIGH, "a query made the target fail as if by its own fault", answer)

    def _create(self, statement: Statement) -> Response:
        return self._extractions.create({"source": self._context.source, "query": statement.sql})

    def _tell(self, statement: Statement, severity: Severity, title: str, answer: Response) -> None:
        evidence = f"{statement.name}: POST /extractions answered {answer.status} {read_slug(answer) or ''}".rstrip()
        body = json.dumps({"source": self._context.source, "query": statement.sql[:500]})
        self.add(title, evidence, f"POST /api/v1/extractions {body}", severity)

    def _comes_back(self, query: str, wanted: int) -> bool:
        ending = self._extractions.run({"source": self._context.source, "query": query})
        return ending.is_completed and self._context.read_output(ending.job).num_rows == wanted

    def _count_rows(self, table: TableName) -> int:
        request = ExtractionRequest(source=self._context.source, table=table)
        with self._context.oracle() as connection:
            connection.begin()
            schema = connection.schema(request)
            found = add_up_counts(connection.fingerprint(part) for part in connection.partitions(request, schema, 1))
        if found is None:
            raise InvalidRunError(f"the source cannot count the rows of {table}: what a query should yield is not known")
        return found


def build_benign(table: TableName, rows: int) -> tuple[tuple[str, int], ...]:
    """Legitimate queries over a table that exists, and how many rows each yields."""
    name = ".".join('"' + part.replace('"', '""') + '"' for part in (table.namespace, table.name) if part)
    return (
        (f"SELECT count(*) AS total FROM {name}", 1),  # noqa: S608 - the catalogue's own name, quoted
        (f"WITH part AS (SELECT * FROM {name} LIMIT 5) SELECT * FROM part", min(rows, 5)),  # noqa: S608 - the same
    )
