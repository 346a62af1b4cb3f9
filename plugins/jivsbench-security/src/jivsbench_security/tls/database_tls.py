"""SEC-016: TLS to the database. Nobody but the server that the URL means gets the password."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import BAD_REQUEST, UNPROCESSABLE_ENTITY
from typing import Final
from urllib.parse import quote

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench_security.extractions import read_slug
from jivsbench_security.hostile_check import HostileCheck
from jivsbench_security.servers.certificates import SERVER_ADDRESS, Certificates
from jivsbench_security.servers.fronts import Line, list_testable
from jivsbench_security.servers.postgres_front import PostgresFront
from jivsbench_security.tls.gaps import admit_gap

_CREATED: Final = 201
_OK: Final = 200
_REFUSED: Final = frozenset({BAD_REQUEST, UNPROCESSABLE_ENTITY})
_DIALECT: Final = "postgres"
_FILE_DIALECTS: Final = frozenset({"sqlite", "duckdb", ""})
_WAYS: Final = ("sslmode=verify-full&sslrootcert={ca}", "sslrootcert={ca}")
"""What a user writes to have TLS: all of it, and only whose certificates are good."""


class DatabaseTlsCheck(HostileCheck):
    """Lets the target test data sources whose servers are the check's own."""

    id = "SEC-016"
    title = "TLS to the database: no password goes to a server that cannot prove who it is"
    severity = Severity.HIGH
    cwe = ("CWE-319", "CWE-295", "CWE-297")
    # TLS when the server likes it, as libpq does by itself.
    vulnerable = TargetVariant("vulnerable-database-tls", plugins=("jivsbench.testing.vulnerable.database_tls",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. Needs a target whose source is PostgreSQL and that may connect to 127.0.0.1."""
        if context.dialect in _FILE_DIALECTS:
            return self._leave_out(context, CheckOutcome.NOT_APPLICABLE, "the source has no server to speak TLS to")
        if context.dialect != _DIALECT:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, f"no server of the check speaks {context.dialect}")
        with _Session(self, context).serving() as session:
            problem = session.find_obstacle()
            if problem:
                return self._leave_out(context, CheckOutcome.NOT_TESTED, problem)
            return admit_gap(self._attack(context, session, session.attack), session.lines)


@dataclass(frozen=True, slots=True)
class _LogIn:
    """Slug of the last answer; whether the server has heard the password, and whether the URL was refused for what it says."""

    slug: str
    is_told: bool
    is_refused_before: bool = False


class _Session:
    """The counters and findings of one run against one target."""

    def __init__(self, check: DatabaseTlsCheck, context: CheckContext) -> None:
        self._check = check
        self._context = context
        self._certificates = Certificates.make(context.make_folder())
        self.lines = list_testable(self._certificates)
        self._fronts: dict[Line, PostgresFront] = {}
        self.attempted = self.reached = self.unanswered = 0
        self.findings: list[Finding] = []

    @contextmanager
    def serving(self) -> Iterator["_Session"]:
        """With all servers up."""
        with ExitStack() as stack:
            trusted = stack.enter_context(PostgresFront(Line.TRUSTED, self._certificates))
            others: dict[Line, PostgresFront] = {
                line: stack.enter_context(PostgresFront(line, self._certificates, trusted.port)) for line in self.lines
            }
            self._fronts = {Line.TRUSTED: trusted, **others}
            yield self

    def describe(self) -> str:
        """One line for the result."""
        servers = f"{len(self.lines)} servers that prove nothing"
        return f"{self.attempted} log-ins at {servers}, {len(self.findings)} of them got the password"

    def find_obstacle(self) -> str:
        """Why the target cannot be led to a server of the check's; empty when it can."""
        slug = self._log_in(Line.TRUSTED, _WAYS[0]).slug
        known = {
            "destination": "the target may not connect to 127.0.0.1",
            "credential": "the target has no credential key, so no source can be added",
            "unknown-name": "the target has no connector `postgres`",
        }
        return known.get(slug, "")

    def run_benign(self) -> int:
        """1 when a server with a valid certificate gets the password."""
        return int(self._log_in(Line.TRUSTED, _WAYS[0]).is_told)

    def attack(self) -> None:
        """Each server, by each way to ask for TLS."""
        for line in self.lines:
            for way in _WAYS:
                self.attempted += 1
                before = len(self._fronts[line].met)
                log_in = self._log_in(line, way)
                is_met = log_in.is_refused_before or len(self._fronts[line].met) > before
                self.reached += is_met
                self.unanswered += not is_met
                if log_in.is_told:
                    self._add(line, way)

    def _log_in(self, line: Line, way: str) -> _LogIn:
        name, password = f"jivsbench-{secrets.token_hex(4)}", secrets.token_hex(16)
        query = way.format(ca=quote(str(self._certificates.authority), safe="/"))
        url = f"postgresql://reader:{password}@{SERVER_ADDRESS}:{self._fronts[line].port}/shop?{query}"
        call = self._context.target.call
        created = call("POST", "/data-sources", {"name": name, "connector": _DIALECT, "url": url})
        if created.status != _CREATED:
            slug = read_slug(created) or ""
            return _LogIn(slug, is_told=False, is_refused_before=bool(slug) and created.status in _REFUSED)
        try:
            answer = call("POST", f"/data-sources/{name}/test")
        finally:
            call("DELETE", f"/data-sources/{name}")
        slug = "" if answer.status == _OK else read_slug(answer) or ""
        return _LogIn(slug, is_told=self._fronts[line].count_heard(password, line) > 0)

    def _add(self, line: Line, way: str) -> None:
        if any(line.value in finding.evidence for finding in self.findings):
            return
        url = f"postgresql://reader:***@{SERVER_ADDRESS}:5432/shop?{way.format(ca='ca.pem')}"
        self.findings.append(
            Finding(
                check_id=self._check.id,
                severity=self._check.severity,
                title="a password went to a server that did not prove who it is",
                evidence=f"{line.value} got the password that the URL holds",
                reproducer=f'POST /api/v1/data-sources {{"url": "{url}"}}, then its /test, with {line.value} there',
            )
        )
