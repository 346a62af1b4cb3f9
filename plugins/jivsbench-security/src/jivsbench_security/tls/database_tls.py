"""SEC-016: TLS to the database. Nobody but the server that the URL means gets the password."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import BAD_REQUEST, UNPROCESSABLE_ENTITY
from typing import Final
from urllib.parse import quote

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.extractions import read_slug
from jivsbench_security.hostile_check import HostileCheck, Reported
from jivsbench_security.servers.certificates import SERVER_ADDRESS
from jivsbench_security.servers.fronts import Line
from jivsbench_security.servers.postgres_front import PostgresFront
from jivsbench_security.tls.gaps import admit_gap
from jivsbench_security.tls.tls_session import TlsSession

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


class _Session(TlsSession):
    def __init__(self, check: Reported, context: CheckContext) -> None:
        super().__init__(check, context)
        self._fronts: dict[Line, PostgresFront] = {}

    @contextmanager
    def serving(self) -> Iterator["_Session"]:
        """With all servers up."""
        with ExitStack() as stack:
            trusted = stack.enter_context(PostgresFront(Line.TRUSTED, self.certificates))
            others: dict[Line, PostgresFront] = {
                line: stack.enter_context(PostgresFront(line, self.certificates, trusted.port)) for line in self.lines
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
                before = len(self._fronts[line].met)
                log_in = self._log_in(line, way)
                is_met = log_in.is_refused_before or len(self._fronts[line].met) > before
                self.tally.count(is_met=is_met)
                if log_in.is_told:
                    url = f"postgresql://reader:***@{SERVER_ADDRESS}:5432/shop?{way.format(ca='ca.pem')}"
                    self.tell(
                        line,
                        "a password went to a server that did not prove who it is",
                        f"{line.value} got the password that the URL holds",
                        f'POST /api/v1/data-sources {{"url": "{url}"}}, then its /test, with {line.value} there',
                    )

    def _log_in(self, line: Line, way: str) -> _LogIn:
        name, password = f"jivsbench-{secrets.token_hex(4)}", secrets.token_hex(16)
        query = way.format(ca=quote(str(self.certificates.authority), safe="/"))
        url = f"postgresql://reader:{password}@{SERVER_ADDRESS}:{self._fronts[line].port}/shop?{query}"
        call = self.context.target.call
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
