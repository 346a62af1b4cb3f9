"""SEC-027: one event is one line of the log, whatever the texts in it. No caller makes a line, or acts on a terminal."""

import json
import random
import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.model.finding import CheckResult, Severity
from jivsbench_security.exchanges import API, CORRELATION, Client
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported
from jivsbench_security.places import Place, generate_for

_FAST_TEXTS: Final = 60
_FULL_TEXTS: Final = 1_200
_LONGEST: Final = 1_500
_LONGEST_NAME: Final = 200
_SHOWN: Final = 160
_UNAUTHORIZED: Final = 401
_LATE_S: Final = 3.0
"""How long after its answer a request may come into the log."""
_PAUSE_S: Final = 0.02
_LEVELS: Final = frozenset({"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"})
_PRINTABLE: Final = re.compile(rb"[\x20-\x7e]*")
# What the grammar draws seldom, and must be there each time.
_ALWAYS: Final = (
    'x\r\n{"at":"2024-01-01T00:00:00.000+00:00","level":"INFO","logger":"forged","message":"all is well"}',
    "\x1b]0;owned\x07\x1b[2J\x1b[31m",
    "\u202egnp.exe\u2066\u2069\u200b\ufeff",
    "\x85\u2028\u2029\x9b31m\x0b\x0c\0",
    '","level":"INFO","message":"',
)


class LogLinesCheck(HostileCheck):
    """Sends line ends, terminal sequences and direction marks wherever a caller's text may come into the log."""

    id = "SEC-027"
    title = "One event is one line of JSON in the log, whatever the texts in it"
    severity = Severity.LOW
    cwe = ("CWE-117", "CWE-93")
    # A formatter that writes texts as they are.
    vulnerable = TargetVariant("vulnerable-raw-lines", plugins=("jivsbench.testing.vulnerable.raw_lines",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack."""
        session = LogSession(self, context)
        with session.client:
            return self._attack(context, session, session.attack)


class LogSession(CountedSession):
    """One run against one target."""

    def __init__(self, check: Reported, context: CheckContext) -> None:
        super().__init__(check)
        self._context = context
        self.client = Client(context.base_url, context.token)

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.attempted} texts sent, {len(self.findings)} found their way into the log as they are"

    def run_benign(self) -> int:
        """1 when a harmless refusal is one line of the log with its path."""
        mark = LogMark(self._context.log)
        path = f"{API}/harmless"
        self.client.send("GET", path, token="")
        return sum(line.get("path") == path for line in _read_sound(mark.await_path()))

    def attack(self) -> None:
        """Every text in its places, one after the other, each followed by a look at what came into the log and the trail."""
        drawn = generate_for(Place.LOG, random.Random(self._context.seed))  # noqa: S311 - repeatable, not secret
        count = _FULL_TEXTS if self._context.is_full else _FAST_TEXTS
        texts = [*_ALWAYS, *(payload.text for payload, _ in zip(drawn, range(count), strict=False)), *self._context.corpus]
        places: tuple[tuple[str, Callable[[str], int]], ...] = (
            ("path without a token", self._send_path),
            ("table of an extraction that runs", self._send_table),
            ("query", self._send_query),
            ("headers", self._send_headers),
            ("name of a data source", self._send_source),
        )
        for number, text in enumerate(texts):
            # The path is logged each time; the other places take turns.
            for name, send in (places[0], places[1 + number % (len(places) - 1)]):
                self._send(name, text[:_LONGEST], send)

    def _send(self, place: str, text: str, send: Callable[[str], int]) -> None:
        log = LogMark(self._context.log)
        trails = [LogMark(file) for file in sorted((self._context.output_dir / ".audit").glob("*.jsonl"))]
        status = send(text)
        self.tally.count(is_met=bool(status))
        is_told = place.startswith("path") and status == _UNAUTHORIZED
        lines = log.await_path() if is_told else log.read()
        problem = next((found for line in lines if (found := find_forgery(line)) is not None), None)
        if problem is None:
            written = [line for trail in trails for line in trail.read()]
            problem = next((f"audit trail: {found}" for line in written if (found := find_malformed(line)) is not None), None)
        if problem is None and is_told:
            problem = find_miscount(lines, text)
        if problem is not None:
            title = "a text makes lines of the log, or gets there as it is"
            self.add(title, f"{place}: {problem}", f"send as {place}: {json.dumps(text[:_SHOWN])}")

    def _send_path(self, text: str) -> int:
        return self.client.send("GET", f"{API}/{_quote(text)}", token="").status

    def _send_table(self, text: str) -> int:
        name = text[:_LONGEST_NAME].replace(".", "_") or "_"
        body = {"source": self._context.source, "table": name, "filters": [{"column": name, "operator": "=", "values": [text]}]}
        return self.client.run(body).status

    def _send_query(self, text: str) -> int:
        query = f"SELECT '{text}' FROM \"{text}\""  # noqa: S608 - an attack
        return self.client.run({"source": self._context.source, "query": query}).status

    def _send_headers(self, text: str) -> int:
        # A header cannot hold a line end: the client would be the one to break. Everything else goes out as it is.
        value = re.sub(r"[\r\n\0]", " ", text).encode("utf-8", "replace").decode("latin-1")
        headers = {CORRELATION: value, "User-Agent": value, "Authorization": f"Bearer {value}"}
        return self.client.send("GET", f"{API}/profile", headers=headers, token="").status

    def _send_source(self, text: str) -> int:
        body = {"name": text[:_LONGEST_NAME], "connector": text, "url": f"postgresql://{_quote(text)}@127.0.0.1:1/x"}
        return self.client.send("POST", f"{API}/data-sources", body).status


class LogMark:
    """A place in a file that grows."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._start = file.stat().st_size if file.exists() else 0

    def read(self) -> list[bytes]:
        """The lines after it; the last may be cut off."""
        with self._file.open("rb") as stream:
            stream.seek(self._start)
            return stream.read().split(b"\n")[:-1]

    def await_path(self) -> list[bytes]:
        """The same, once a line tells a path, or is none of the service's; what was there after 3 s otherwise."""
        give_up_at_s = time.monotonic() + _LATE_S
        while True:
            lines = self.read()
            is_there = any(b'"path"' in line or find_forgery(line) is not None for line in lines)
            if is_there or time.monotonic() > give_up_at_s:
                return lines
            time.sleep(_PAUSE_S)


def find_malformed(line: bytes) -> str | None:
    """Why a line is not one JSON object in printable ASCII; None when it is."""
    if _PRINTABLE.fullmatch(line) is None:
        return "a line holds characters that are not printable ASCII"
    try:
        return None if isinstance(json.loads(line), dict) else "a line is JSON, but no object"
    except ValueError:
        return "a line is no JSON"


def find_forgery(line: bytes) -> str | None:
    """Why a line of the log was not written by the service's formatter; None when it looks so."""
    malformed = find_malformed(line)
    if malformed is not None:
        return malformed
    fields: dict[str, Any] = json.loads(line)
    try:
        datetime.fromisoformat(fields["at"])
    except (KeyError, TypeError, ValueError):
        return "a line has no time"
    if fields.get("level") not in _LEVELS or not isinstance(fields.get("message"), str):
        return "a line has no level or no message"
    return "a line was forged" if fields.get("logger") == "forged" else None


def find_miscount(lines: Sequence[bytes], text: str) -> str | None:
    """Exactly one line tells of the request, with its path as it was meant. The service may say other things meanwhile."""
    told = [line["path"] for line in _read_sound(lines) if "path" in line]
    if len(told) != 1:
        return f"one request made {len(told)} lines with a path"
    # Bytes that are no UTF-8, as a corpus may bring them, are no letters of a path.
    meant = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return None if told[0] == f"{API}/{meant}" else "the path in the log is not the one that was asked for"


def _quote(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")


def _read_sound(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines if find_forgery(line) is None]
