"""SEC-028: what goes wrong is told without what it went wrong with, and with an id under which the log tells more."""

import datetime as dt
import re
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from jivsbench.api import CheckContext, TableLoader, TargetVariant
from jivsbench.errors import AccessDeniedError, InvalidRunError, OutputError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.table import TableName
from jivsbench_security.exchanges import API, CORRELATION, Client, Exchange
from jivsbench_security.extractions import ENDS
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported
from jivsbench_security.leaks.canaries import Canary, draw_canary, find_leaks
from jivsbench_security.leaks.failures import Stage, Step, list_bad_urls
from jivsbench_security.servers.telltale_server import TelltaleServer

_LEAST_FAILURES: Final = 30
_SCHEMA: Final = pa.schema([pa.field("id", pa.int64()), pa.field("label", pa.string()), pa.field("day", pa.date32())])
_FRAME: Final = re.compile(
    r"Traceback|File \"|\.py\b|line \d+, in |\bat 0x[0-9a-f]{6,}|site-packages|psycopg|sqlalchemy|pydantic_core"
    r"|LINE \d+:|DETAIL:|CONTEXT:"
)
"""Pieces of stack frames, names of drivers, and the parts of a PostgreSQL message that quote rows."""


class ErrorHygieneCheck(HostileCheck):
    """Makes dozens of requests fail, over rows that nobody may see, and reads every answer as the caller does."""

    id = "SEC-028"
    title = "Errors tell no row, no parameter, no part of a URL and no stack frame, and each has a correlation id"
    severity = Severity.MEDIUM
    cwe = ("CWE-209", "CWE-497")
    # The text of the driver's error instead of one of the service's own.
    vulnerable = TargetVariant("vulnerable-naive-errors", plugins=("jivsbench.testing.vulnerable.naive_errors",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. Needs a source into which the check may load its table."""
        loader = context.loader()
        if loader is None or context.dialect != "postgres":
            reason = "its failures are written for PostgreSQL" if loader else "the connector cannot write the table that it needs"
            return self._leave_out(context, CheckOutcome.NOT_TESTED, reason)
        rows = [draw_canary(f"the value of row {number}") for number in (1, 2)]
        with ExitStack() as exits:
            try:
                table = exits.enter_context(_table_in_place(context, loader, rows))
            except (AccessDeniedError, OutputError):
                reason = "the source's user may not write the table that the check needs"
                return self._leave_out(context, CheckOutcome.NOT_TESTED, reason)
            telltale = exits.enter_context(TelltaleServer())
            session = HygieneSession(self, context, table, rows)
            exits.enter_context(session.client)
            return self._attack(context, session, lambda: session.attack(telltale))


class HygieneSession(CountedSession):
    """One run against one target. A request has reached what it is aimed at when it failed."""

    def __init__(self, check: Reported, context: CheckContext, table: str, rows: Sequence[Canary]) -> None:
        super().__init__(check)
        self._context = context
        self._parameter, self._password = draw_canary("a parameter"), draw_canary("the password of a data source")
        self._stage = Stage(context.source, table, self._parameter.text)
        self._told = (*rows, self._parameter, self._password)
        self.client = Client(context.base_url, context.token)
        self._problems: set[str] = set()

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.reached} of {self.attempted} requests failed as they were meant to, {len(self.findings)} told too much"

    def run_benign(self) -> int:
        """1 when a harmless extraction completes."""
        answer = self.client.run({"source": self._context.source, "table": self._stage.table, "columns": ["id"]})
        return int(answer.document.get("state") == "COMPLETED")

    def attack(self, telltale: TelltaleServer) -> None:
        """Every failure; then the log of each job and the list of all. Raises InvalidRunError when too few of them failed."""
        url = self._context.reader().url.reveal()
        self._told += tuple(self._list_parts(list_parts(url)))
        self._test_source(url)
        for step in self._stage.list_requests():
            self._take(step, self._send(step))
        self._stop_and_start_again()
        self._fail_sources(telltale.port)
        for path in (f"{API}/extractions?size=200", f"{API}/data-sources"):
            self._judge(path, self.client.send("GET", path))
        if self.reached < _LEAST_FAILURES:
            raise InvalidRunError(
                f"{self.reached} of {self.attempted} requests failed, and it takes {_LEAST_FAILURES} to judge errors"
            )
        if not telltale.told:
            raise InvalidRunError("the server that tells passwords was told none: the target did not come that far")

    def _list_parts(self, parts: Iterator[Canary]) -> Iterator[Canary]:
        """Parts of the source's URL that no harmless answer holds: a user called `postgres` is also a connector."""
        harmless = [self.client.send("GET", path) for path in (f"{API}/profile", f"{API}/data-sources", f"{API}/openapi.json")]
        words = b"\n".join(answer.body for answer in harmless)
        return (part for part in parts if not find_leaks(words, [part]))

    def _test_source(self, url: str) -> None:
        """What succeeds tells no part of the URL either. Its database may be a word of an error, and here it is none."""
        told = (*self._told, *self._list_parts(list_database(url)))
        self._judge("a test of the source", self.client.send("POST", f"{API}/data-sources/{self._stage.source}/test"), told)

    def _send(self, step: Step) -> Exchange:
        if not step.is_job:
            return self.client.send(step.method, step.path, step.body, token=step.token)
        assert isinstance(step.body, dict)
        answer = self.client.run(step.body)
        job = answer.document.get("id")
        if isinstance(job, str):
            self._judge(f"{step.name}, its log", self.client.send("GET", f"{API}/extractions/{job}/logs"))
        return answer

    def _stop_and_start_again(self) -> None:
        body = {"source": self._stage.source, "table": self._stage.table}
        job = self.client.send("POST", f"{API}/extractions", body).document.get("id")
        stopped = self.client.send("POST", f"{API}/extractions/{job}/stop")
        self._take(Step("a job that was stopped", "POST", ""), stopped)
        for verb, name in (("start", "a stopped job started"), ("stop", "a stopped job stopped again")):
            self._take(Step(name, "POST", ""), self.client.send("POST", f"{API}/extractions/{job}/{verb}"))
        self._take(Step("statistics of a stopped job", "GET", ""), self.client.send("GET", f"{API}/extractions/{job}/statistics"))

    def _fail_sources(self, telltale_port: int) -> None:
        reader = self._context.reader().url.reveal()
        for number, (name, url) in enumerate(list_bad_urls(reader, self._password.text, telltale_port, _find_closed_port())):
            source = f"hygiene-{number}"
            added = self.client.send("POST", f"{API}/data-sources", {"name": source, "connector": "postgres", "url": url})
            if added.is_error:
                self._take(Step(name, "POST", ""), added)
                continue
            self._judge(name, added)
            self._take(Step(f"{name}, tested", "POST", ""), self.client.send("POST", f"{API}/data-sources/{source}/test"))
            step = Step(f"{name}, extracted", "POST", "", {"source": source, "table": "nothing"}, is_job=True)
            self._take(step, self._send(step))
            self.client.send("DELETE", f"{API}/data-sources/{source}")

    def _take(self, step: Step, answer: Exchange) -> None:
        """Count a failure and judge it; a request that succeeded, though it should not have, has missed."""
        state = answer.document.get("state")
        # Of a job that still runs nobody knows how it fails.
        has_ended = bool(answer.status) and (not step.is_job or state in ENDS)
        self.tally.count(is_met=answer.is_error or state in {"FAILED", "CANCELLED"}, is_answered=has_ended)
        self._judge(step.name, answer)

    def _judge(self, name: str, answer: Exchange, told: Sequence[Canary] = ()) -> None:
        for problem in list_disclosures(answer, told or self._told):
            # What is told once is told often: one finding for each thing that is.
            if problem not in self._problems:
                self._problems.add(problem)
                reproducer = f"{answer.method} {answer.path.partition('?')[0]} with {name}"
                self.add("an answer tells too much, or has no correlation id", f"{name}: {problem}", reproducer)


def list_disclosures(answer: Exchange, told: Sequence[Canary]) -> Iterator[str]:
    """What a caller reads in an answer and should not; and what is missing."""
    if not answer.status:
        return
    for leak in find_leaks(answer.raw, told):
        yield f"the answer holds {leak.owner}, {leak.encoding}"
    if (frame := _FRAME.search(answer.body.decode("utf-8", "replace"))) is not None:
        yield f"the answer looks like a stack trace or a driver's text: {frame[0]!r}"
    correlation = answer.header(CORRELATION)
    if not correlation:
        yield "the answer has no correlation id"
    elif answer.is_error and answer.document.get("correlation_id") != correlation:
        yield "the correlation id is not in the problem document"


def list_parts(url: str) -> Iterator[Canary]:
    """What names the server, its user and the password, where they are too long to be met by chance."""
    parts = urlsplit(url)
    texts = {
        "the password of the source": unquote(parts.password or ""),
        "host and port of the source": parts.netloc.rpartition("@")[2],
        "the user of the source": unquote(parts.username or ""),
    }
    return _watch_long(texts)


def list_database(url: str) -> Iterator[Canary]:
    """The path of a URL, which is a database or a file, likewise."""
    return _watch_long({"the database of the source": unquote(urlsplit(url).path).strip("/")})


def _watch_long(texts: Mapping[str, str]) -> Iterator[Canary]:
    for owner, text in texts.items():
        if len(text) >= 8:  # noqa: PLR2004 - shorter ones are words of other things too
            yield Canary(owner, text, len(text))


@contextmanager
def _table_in_place(context: CheckContext, loader: TableLoader, rows: Sequence[Canary]) -> Iterator[str]:
    name = f"jivsbench_hygiene_{secrets.token_hex(5)}"
    source, table = context.data_source(), TableName(name)
    values = [{"id": n, "label": row.text, "day": dt.date(2024, 1, n)} for n, row in enumerate(rows, start=1)]
    try:
        loader.load_table(source, table, _SCHEMA, iter([pa.RecordBatch.from_pylist(values, schema=_SCHEMA)]), ())
        yield name
    finally:
        loader.drop_table(source, table)


def _find_closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
