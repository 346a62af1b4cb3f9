"""SEC-034: a data source leads where its service's owner allows, and nowhere else. Listeners of the check's own see visitors."""

import contextlib
import secrets
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from jivsbench.api import CheckContext, Response, TargetChanges, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.destinations.destination_urls import (
    ALLOWED_HOST,
    FORBIDDEN_HOST,
    REBOUND,
    HostileUrl,
    Traps,
    list_elsewhere,
    list_neighbours,
    list_overriding,
    list_rebinding,
    list_smuggled,
)
from jivsbench_security.extractions import INTERNAL_ERROR, Extractions, read_slug
from jivsbench_security.hostile_check import MOST_FINDINGS, CountedSession, HostileCheck, Reported
from jivsbench_security.second_sources import describe_source
from jivsbench_security.servers.listeners import Listeners, build_redirect, name_socket_file

_OK: Final = 200
_CREATED: Final = 201
_MOST_UNANSWERED: Final = 6
_LATE_S: Final = 0.3
_ALWAYS: Final = 1_000_000
_NO_CONNECTOR: Final = "unknown-name"
_NOT_ABOUT_THE_URL: Final = frozenset({0, 401, 403, 404, 408, 409, 429})
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
            session = DestinationSession(self, (context, confined), listeners, traps)

            def send() -> None:
                session.need_resolver(confined, REBOUND.format(count=_ALWAYS, connector="postgres"), traps.port)
                session.attack(context, list_neighbours())
                url = context.reader().url.reveal()
                for urls in (
                    *(list_elsewhere(traps), list_smuggled(traps)),
                    *(list_overriding(url, traps), list_rebinding(traps.port)),
                ):
                    session.attack(confined, urls)
                elsewhere = f"postgresql://u:p@{FORBIDDEN_HOST}:{traps.port}/d"
                session.change(confined, HostileUrl("a changed source", "postgres", elsewhere))
                session.wait_for_late_visits()

            return self._attack(context, session, send)


class DestinationSession(CountedSession):
    """One run. Its attacks are the URLs that a target with their connector was given."""

    most_findings = MOST_FINDINGS + 4
    """What comes late, and what the changed source leads to, besides."""

    def __init__(self, check: Reported, targets: tuple[CheckContext, ...], listeners: Listeners, traps: Traps) -> None:
        super().__init__(check)
        self._targets = targets
        self._traps = traps
        self._listeners = listeners
        self._last: HostileUrl | None = None
        self._connections = 0

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.attempted} URLs that lead elsewhere, {self._connections} connections, {len(self.findings)} findings"

    def run_benign(self) -> int:
        """Each target stores a source that leads where its own does, and reaches it: so it is a place that it refuses."""
        return int(all(self._reaches_own(context) for context in self._targets))

    def _reaches_own(self, context: CheckContext) -> bool:
        call, name = context.target.call, _make_name()
        if call("POST", "/data-sources", _describe_own(context, name)).status != _CREATED:
            return False
        is_reached = call("POST", f"/data-sources/{name}/test").status == _OK
        return call("DELETE", f"/data-sources/{name}").status != 0 and is_reached

    def need_resolver(self, context: CheckContext, host: str, port: int) -> None:
        """A name that always stands for an allowed address has to be known: else none that changes later was ever looked at.

        Raises InvalidRunError when the target does not ask the lying name server.
        """
        name = _make_name()
        body = {"name": name, "connector": "postgres", "url": f"postgresql://u:p@{host}:{port}/d"}
        answer = context.target.call("POST", "/data-sources", body)
        if answer.status == _CREATED:
            context.target.call("DELETE", f"/data-sources/{name}")
        elif read_slug(answer) != _NO_CONNECTOR:
            raise InvalidRunError(f"the check's name server is not asked: a name that it knows was answered with {answer.status}")

    def wait_for_late_visits(self) -> None:
        """A target may connect after it has answered."""
        if not self.findings:
            time.sleep(_LATE_S)
        self._note_late_visits()

    def attack(self, context: CheckContext, urls: Iterable[HostileUrl]) -> None:
        """Each is stored and tested, unless it is refused before."""
        for hostile in urls:
            # A target that answers nothing any more is not asked a hundred times: each takes as long as its patience.
            if len(self.findings) >= MOST_FINDINGS or self.unanswered >= _MOST_UNANSWERED:
                return
            self._offer(context, hostile)

    def change(self, context: CheckContext, hostile: HostileUrl) -> None:
        """A source that was stored with a good URL gets another one."""
        name = _make_name()
        if context.target.call("POST", "/data-sources", _describe_own(context, name)).status != _CREATED:
            self.tally.count(is_met=False)
            return
        body = {"connector": hostile.connector, "url": hostile.url}
        answer = context.target.call("PUT", f"/data-sources/{name}", body)
        if read_slug(answer) != _NO_CONNECTOR:
            self.tally.count(is_met=not _says_nothing(answer))
        if answer.status == _OK:
            self._test(context, hostile, name)
        context.target.call("DELETE", f"/data-sources/{name}")

    def _offer(self, context: CheckContext, hostile: HostileUrl) -> None:
        name = _make_name()
        body = {"name": name, "connector": hostile.connector, "url": hostile.url}
        answer = context.target.call("POST", "/data-sources", body)
        if read_slug(answer) == _NO_CONNECTOR:
            # That connector is not loaded: nothing to attack.
            return
        self.tally.count(is_met=not _says_nothing(answer))
        if answer.status == _CREATED:
            if hostile.is_final:
                self._tell(hostile, "a URL that leads to a machine's neighbourhood was stored", "POST /data-sources answered 201")
            else:
                self._test(context, hostile, name)
            context.target.call("DELETE", f"/data-sources/{name}")

    def _test(self, context: CheckContext, hostile: HostileUrl, name: str) -> None:
        """Have the target connect, and see where it did."""
        self._note_late_visits()
        self._last = hostile
        status = context.target.call("POST", f"/data-sources/{name}/test").status
        if hostile.may_open:
            Extractions(context.target).run({"source": name, "table": "anything"})
        visits = self._listeners.take_visits()
        self._connections += len(visits)
        if visits:
            self._tell(hostile, "the target connected to a place that is not on the list", f"{len(visits)} to {visits[0]}")
        elif status == _OK and not hostile.may_open:
            self._tell(hostile, "a source with an overriding URL was opened", f"POST /data-sources/{name}/test answered 200")

    def _note_late_visits(self) -> None:
        visits = self._listeners.take_visits()
        self._connections += len(visits)
        if visits and self._last is not None:
            title = "the target connected to a place that is not on the list"
            self._tell(self._last, title, f"{len(visits)} to {visits[0]}, after it had answered")

    def _tell(self, hostile: HostileUrl, title: str, evidence: str) -> None:
        # The source's own URL may be part of it, with its password.
        shown = hostile.name if hostile.name.startswith("option") else f"{hostile.name}: {hostile.url!r}"
        asked = f"POST /api/v1/data-sources, connector {hostile.connector}, {shown}; then POST .../test"
        self.add(title, evidence, self._traps.name_places(asked))


def _make_name() -> str:
    return f"check-{secrets.token_hex(6)}"


def _describe_own(context: CheckContext, name: str) -> dict[str, object]:
    return {"name": name, **describe_source(context)}


def _says_nothing(answer: Response) -> bool:
    """True for an answer that is about who asked, or about the target itself, and not about the URL."""
    return answer.status in _NOT_ABOUT_THE_URL or (answer.status >= INTERNAL_ERROR and read_slug(answer) != "destination")


def list_destinations(context: CheckContext) -> tuple[str, ...]:
    """A list that lets the target reach its source, by way of a recorder perhaps, and nothing that the check sets up."""
    parts = urlsplit(context.reader().url.reveal())
    named = [value for key, value in parse_qsl(parts.query) if key.lower() in {"host", "hostaddr", "unix_socket", "socket"}]
    # The file itself: its folder may be the one that the check's own traps lie in. Some URLs begin a whole path with two slashes.
    path = unquote(parts.path)
    files = f"/{path.lstrip('/')}", str(Path(path.removeprefix("/")).absolute())
    # Without a host it may be a server on this machine.
    own = [parts.hostname] if parts.hostname else named or (*files, "localhost")
    return tuple(dict.fromkeys((ALLOWED_HOST, *own, *named)))


def _set_traps(listeners: Listeners, folder: Path) -> Traps:
    """Listeners, and files that lead to them. Raises OSError where the machine has no such places."""
    port = listeners.listen(socket.AF_INET, (FORBIDDEN_HOST, 0), "another address")
    listeners.listen(socket.AF_UNIX, str(name_socket_file(folder)), "a socket file")
    redirect = build_redirect(f"http://{FORBIDDEN_HOST}:{port}/")
    redirect_port = listeners.listen(socket.AF_INET, (ALLOWED_HOST, 0), "a redirect", redirect)
    service = f"[evil]\nhost={FORBIDDEN_HOST}\nport={port}\n"
    (folder / "service.conf").write_text(service, encoding="utf-8")
    with contextlib.closing(sqlite3.connect(folder / "other.db")) as database:
        database.execute("CREATE TABLE other (id INTEGER)")
    return Traps(port, redirect_port, folder)
