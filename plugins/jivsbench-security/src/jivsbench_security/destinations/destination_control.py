"""SEC-034: a data source leads where its service's owner allows, and nowhere else. Listeners of the check's own see visitors."""

import contextlib
import secrets
import socket
import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jivsbench.api import CheckContext, TargetChanges, TargetVariant
from jivsbench.model.finding import CheckOutcome, CheckResult, Finding, Severity
from jivsbench_security.destinations.destination_urls import (
    ALLOWED_HOST,
    FORBIDDEN_HOST,
    HostileUrl,
    Traps,
    list_elsewhere,
    list_neighbours,
    list_overriding,
    list_rebinding,
    list_smuggled,
)
from jivsbench_security.extractions import INTERNAL_ERROR, Extractions, read_slug
from jivsbench_security.hostile_check import HostileCheck
from jivsbench_security.servers.listeners import Listeners, build_redirect, open_socket_file

_OK: Final = 200
_CREATED: Final = 201
_MAX_FINDINGS: Final = 6
_RESOLVER: Final = "jivsbench.testing.lying_resolver"


class DestinationControlCheck(HostileCheck):
    """Offers data sources that lead elsewhere, and has them tested."""

    id = "SEC-034"
    title = "A data source connects to allowed destinations alone, and no part of its URL overrides that"
    severity = Severity.HIGH
    cwe = ("CWE-918", "CWE-88")
    # URLs passed through.
    vulnerable = TargetVariant("vulnerable-open-destinations", plugins=("jivsbench.testing.vulnerable.open_destinations",))

    def run(self, context: CheckContext) -> CheckResult:
        """Needs a second loopback address and a folder for a socket file."""
        # Not below the target's folder: the path of a socket file has room for a hundred characters.
        with tempfile.TemporaryDirectory(prefix="jivsbench-") as folder:
            listeners = Listeners()
            try:
                traps = _set_traps(listeners, Path(folder))
            except OSError as problem:
                listeners.close()
                reason = f"the machine has no second loopback address, or no room for a socket file ({problem})"
                return self._leave_out(context, CheckOutcome.NOT_TESTED, reason)
            with listeners.accepting():
                return self._attack_both(context, listeners, traps)

    def _attack_both(self, context: CheckContext, listeners: Listeners, traps: Traps) -> CheckResult:
        """Another target of the same kind, which has a list of destinations, and this one, which may have none."""
        changes = TargetChanges(destinations=list_destinations(context), plugins=(_RESOLVER,))
        with context.launch(changes) as confined:
            session = DestinationSession(self, context, listeners)

            def send() -> None:
                session.attack(context, list_neighbours())
                url = context.reader().url.reveal()
                for urls in (
                    *(list_elsewhere(traps), list_smuggled(traps)),
                    *(list_overriding(url, traps), list_rebinding(traps.port)),
                ):
                    session.attack(confined, urls)
                elsewhere = f"postgresql://u:p@{FORBIDDEN_HOST}:{traps.port}/d"
                session.change(confined, HostileUrl("a changed source", "postgres", elsewhere))

            return self._attack(context, session, send)


class DestinationSession:
    """The counters and findings of one run."""

    def __init__(self, check: HostileCheck, context: CheckContext, listeners: Listeners) -> None:
        self._check = check
        self._context = context
        self._listeners = listeners
        self._connections = 0
        self.attempted = self.reached = self.unanswered = 0
        self.findings: list[Finding] = []

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.attempted} URLs that lead elsewhere, {self._connections} connections, {len(self.findings)} findings"

    def run_benign(self) -> int:
        """The source that is meant is reached."""
        return int(self._context.target.call("POST", f"/data-sources/{self._context.source}/test").status == _OK)

    def attack(self, context: CheckContext, urls: Iterable[HostileUrl]) -> None:
        """Each is stored and tested, unless it is refused before."""
        for hostile in urls:
            if len(self.findings) >= _MAX_FINDINGS:
                return
            self._offer(context, hostile)

    def change(self, context: CheckContext, hostile: HostileUrl) -> None:
        """A source that was stored with a good URL gets another one."""
        reader, name = context.reader(), f"check-{secrets.token_hex(6)}"
        good = {"name": name, "connector": reader.connector, "url": reader.url.reveal()}
        if context.target.call("POST", "/data-sources", good).status != _CREATED:
            return
        self.attempted += 1
        body = {"connector": hostile.connector, "url": hostile.url}
        answer = context.target.call("PUT", f"/data-sources/{name}", body)
        self.reached += answer.status != 0
        if answer.status == _OK:
            self._test(context, hostile, name)
        context.target.call("DELETE", f"/data-sources/{name}")

    def _offer(self, context: CheckContext, hostile: HostileUrl) -> None:
        name = f"check-{secrets.token_hex(6)}"
        body = {"name": name, "connector": hostile.connector, "url": hostile.url}
        answer = context.target.call("POST", "/data-sources", body)
        if read_slug(answer) == "unknown-name":
            # That connector is not loaded: nothing to attack.
            return
        self.attempted += 1
        if answer.status in {0, INTERNAL_ERROR}:
            self.unanswered += 1
            return
        self.reached += 1
        if answer.status == _CREATED:
            if hostile.is_final:
                self._add(hostile, "a URL that leads to a machine's neighbourhood was stored", "POST /data-sources answered 201")
            else:
                self._test(context, hostile, name)
            context.target.call("DELETE", f"/data-sources/{name}")

    def _test(self, context: CheckContext, hostile: HostileUrl, name: str) -> None:
        """Have the target connect, and see where it did."""
        self._listeners.take_visits()
        status = context.target.call("POST", f"/data-sources/{name}/test").status
        if hostile.may_open:
            Extractions(context.target).run({"source": name, "table": "anything"})
        visits = self._listeners.take_visits()
        self._connections += len(visits)
        if visits:
            self._add(hostile, "the target connected to a place that is not on the list", f"{len(visits)} to {visits[0]}")
        elif status == _OK and not hostile.may_open:
            self._add(hostile, "a source with an overriding URL was opened", f"POST /data-sources/{name}/test answered 200")

    def _add(self, hostile: HostileUrl, title: str, evidence: str) -> None:
        # The source's own URL may be part of it, with its password.
        shown = hostile.name if hostile.name.startswith("option") else f"{hostile.name}: {hostile.url!r}"
        reproducer = f"POST /api/v1/data-sources, connector {hostile.connector}, {shown}; then POST .../test"
        self.findings.append(Finding(self._check.id, self._check.severity, title, evidence, reproducer))


def list_destinations(context: CheckContext) -> tuple[str, ...]:
    """A list that lets the target reach its source, by way of a recorder perhaps, and nothing that the check sets up."""
    parts = urlsplit(context.reader().url.reveal())
    own = parts.hostname or str(Path(parts.path.removeprefix("/")).absolute().parent)
    return tuple(dict.fromkeys((ALLOWED_HOST, own)))


def _set_traps(listeners: Listeners, folder: Path) -> Traps:
    """Listeners, and files that lead to them. Raises OSError where the machine has no such places."""
    port = listeners.listen(socket.AF_INET, (FORBIDDEN_HOST, 0), "another address")
    listeners.listen(socket.AF_UNIX, str(open_socket_file(folder)), "a socket file")
    redirect = build_redirect(f"http://{FORBIDDEN_HOST}:{port}/")
    redirect_port = listeners.listen(socket.AF_INET, (ALLOWED_HOST, 0), "a redirect", redirect)
    service = f"[evil]\nhost={FORBIDDEN_HOST}\nport={port}\n"
    (folder / "service.conf").write_text(service, encoding="utf-8")
    with contextlib.closing(sqlite3.connect(folder / "other.db")) as database:
        database.execute("CREATE TABLE other (id INTEGER)")
    return Traps(port, redirect_port, folder)
