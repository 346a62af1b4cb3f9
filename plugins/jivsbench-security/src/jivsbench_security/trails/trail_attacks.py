"""SEC-036: what is refused is written down, by whom, of what and when, without its secrets; and nobody alters it unseen."""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.audit import START, review_trail
from jivsbench.model.finding import CheckResult, Severity
from jivsbench_security.corpora import load_hostile
from jivsbench_security.exchanges import API, CORRELATION, Client, Exchange
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported
from jivsbench_security.leaks.canaries import Canary, draw_canary, find_leaks
from jivsbench_security.trails.trail_key import derive_trail_key

_FAST_STATEMENTS: Final = 12
_LATE_S: Final = 2.0
"""So long without a new line, and nothing more is awaited."""
_LEAST_LINES: Final = 4
_DIGEST: Final = "digest"


@dataclass(frozen=True, slots=True)
class Request:
    """One attack; `token` "" sends none, None the target's own."""

    name: str
    method: str
    path: str
    body: object = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """One attack as it was sent: when, under which correlation id, with a token or without, and its answer."""

    name: str
    correlation_id: str
    at: datetime
    has_token: bool
    answer: Exchange


class AuditTrailCheck(HostileCheck):
    """Sends requests that must be refused, and looks for each of them in the trail on the disk."""

    id = "SEC-036"
    title = "Every refused attack is in the audit trail, without secrets, and nobody alters the trail unseen"
    severity = Severity.MEDIUM
    cwe = ("CWE-778", "CWE-223")
    # A trail that keeps silent about refusals.
    vulnerable = TargetVariant("vulnerable-silent-trail", plugins=("jivsbench.testing.vulnerable.silent_trail",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack."""
        session = TrailSession(self, context)
        with session.client:
            return self._attack(context, session, session.attack)


class TrailSession(CountedSession):
    """One run against one target: attacks on the service, and alterations of a copy of its trail."""

    def __init__(self, check: Reported, context: CheckContext) -> None:
        super().__init__(check)
        self._context = context
        self.client = Client(context.base_url, context.token)
        self._secret = draw_canary("a value that was sent")
        self._sent: list[Sent] = []

    def describe(self) -> str:
        """One line for the result."""
        altered = self.attempted - len(self._sent)
        return f"{len(self._sent)} attacks looked for in the trail, {altered} alterations of a copy of it"

    def run_benign(self) -> int:
        """1 when a harmless request is carried out and is in the trail as asked for."""
        mark = secrets.token_hex(8)
        body = {"source": self._context.source, "table": self._context.table, "row_limit": 1}
        answer = self.client.send("POST", f"{API}/extractions", body, headers={CORRELATION: mark})
        if answer.status != HTTPStatus.CREATED:
            return 0
        # Nobody is to start it later.
        self.client.send("POST", f"{API}/extractions/{answer.document.get('id')}/stop")
        return int(mark in self._await_events({mark}))

    def attack(self) -> None:
        """Send everything, then look at the trail, then at copies of it that were altered."""
        for request in self._list_requests():
            self._send(request)
        refused = {sent.correlation_id for sent in self._sent if sent.answer.is_error}
        events = self._await_events(refused, "refused")
        for sent in self._sent:
            if not sent.answer.status:
                # Not known whether it was refused; it counts as unanswered.
                continue
            if not sent.answer.is_error:
                self._tell("an attack was not refused", sent.name, f"the answer was {sent.answer.status}")
            elif (problem := find_omission(events.get(sent.correlation_id), sent)) is not None:
                self._tell("a refused attack is not in the trail as it was", sent.name, problem)
        content = b"".join(line for file in self._list_files() for line in read_lines(file))
        told = (
            self._secret,
            Canary("the target's token", self._context.token.reveal()),
            Canary("the credential key", self._context.credential_key.reveal()),
        )
        for leak in find_leaks(content, [canary for canary in told if canary.is_unique]):
            self._tell("a secret is in the trail", leak.owner, f"it is there, {leak.encoding}")
        self._alter_copies()

    def _list_requests(self) -> Iterator[Request]:
        """None of them may leave anything behind."""
        secret, source = self._secret.text, self._context.source
        job = "00000000-0000-0000-0000-000000000000"
        yield Request("a body that is no JSON", "POST", "/extractions", b"{" + secret.encode())
        yield Request("an unknown field", "POST", "/extractions", {"source": source, "table": 3, secret: secret})
        yield Request("an unknown source", "POST", "/extractions", {"source": "nobody", "table": "t"})
        yield Request("a body of 2 MiB", "POST", "/extractions", {"source": source, "query": "x" * (2 << 20)})
        yield Request("no such method", "PATCH", "/extractions")
        yield Request("no such path", "GET", "/..%2f..%2fetc%2fpasswd")
        yield Request("no such job", "POST", f"/extractions/{job}/start")
        yield Request("a query string", "GET", f"/extractions/nothing?token={secret[:20]}")
        yield Request("a link-local destination", "POST", "/data-sources", _build_source(f"{secret}@169.254.169.254"))
        yield Request("no such source to remove", "DELETE", "/data-sources/nobody-at-all")
        yield Request("no token", "GET", "/extractions", token="")
        yield Request("a wrong token", "GET", "/extractions", token=secret)
        statements = load_hostile(self._context.dialect)
        for one in statements if self._context.is_full else statements[:: max(1, len(statements) // _FAST_STATEMENTS)]:
            body = {"source": source, "query": f"{one.sql} /* {secret} */"}
            yield Request(f"the statement {one.name}", "POST", "/extractions", body)

    def _send(self, request: Request) -> None:
        mark, at = secrets.token_hex(8), datetime.now(UTC)
        path, headers = f"{API}{request.path}", {CORRELATION: mark}
        answer = self.client.send(request.method, path, request.body, headers=headers, token=request.token)
        self.tally.count(is_met=answer.is_error, is_answered=bool(answer.status))
        self._sent.append(Sent(request.name, mark, at, request.token is None, answer))

    def _await_events(self, wanted: AbstractSet[str], kind: str | None = None) -> dict[str, Mapping[str, Any]]:
        """Events by correlation id. Some are written once the answer is out: as long as lines come, more may come."""
        found: dict[str, Mapping[str, Any]] = {}
        lines, give_up_at_s = 0, 0.0
        while True:
            events = list(self._read_events())
            if len(events) > lines:
                lines, give_up_at_s = len(events), time.monotonic() + _LATE_S
            found = {str(event.get("correlation_id")): event for event in events if kind is None or event.get("event") == kind}
            if wanted <= found.keys() or time.monotonic() > give_up_at_s:
                return found
            time.sleep(_LATE_S / 100)

    def _alter_copies(self) -> None:
        """Of the trail that the attacks are in; those of other keys, or of an earlier service, may lie beside it."""
        marks = [sent.correlation_id.encode() for sent in self._sent]
        trails = [read_lines(file) for file in self._list_files()]
        for lines in trails:
            if not any(mark in line for line in lines for mark in marks):
                continue
            altered, problems = judge_chain(lines, derive_trail_key(self._context.credential_key.reveal()))
            self.tally.count(altered, is_met=True)
            for name, problem in problems:
                self._tell("the trail does not hold", name, problem)

    def _read_events(self) -> Iterator[Mapping[str, Any]]:
        for file in self._list_files():
            for line in read_lines(file):
                yield json.loads(line)

    def _list_files(self) -> list[Path]:
        files = sorted((self._context.output_dir / ".audit").glob("*.jsonl"))
        if not files:
            raise InvalidRunError("the target keeps no audit trail in its output folder: is it the target's own?")
        return files

    def _tell(self, title: str, name: str, evidence: str) -> None:
        self.add(title, f"{name}: {evidence}", f"send {name} to a service, and read OUTPUT/.audit/")


def find_omission(event: Mapping[str, Any] | None, sent: Sent) -> str | None:
    """What an entry lacks of who, what and when; None when nothing."""
    if event is None:
        return f"no entry has its correlation id (the answer was {sent.answer.status})"
    path = event.get("path")
    if event.get("method") != sent.answer.method or not isinstance(path, str) or not path.startswith(API):
        return "its method or path is not told"
    if event.get("status") != sent.answer.status or event.get("slug") != sent.answer.document.get("slug"):
        return "what was answered is not told"
    if not event.get("from") or bool(event.get("token")) != sent.has_token or bool(event.get("role")) != sent.has_token:
        return "who asked is not told"
    try:
        late_s = (datetime.fromisoformat(str(event.get("at"))) - sent.at).total_seconds()
    except (TypeError, ValueError):
        return "when it was is not told"
    # Written to the millisecond, and never later than the answer, which may take as long as a request may.
    return None if -1 <= late_s <= 60 else f"it is dated {late_s:.0f} s away"  # noqa: PLR2004


def read_lines(file: Path) -> list[bytes]:
    """The whole lines of a file that grows, with their ends; what is being written is none yet."""
    content = file.read_bytes()
    return content[: content.rfind(b"\n") + 1].splitlines(keepends=True)


def judge_chain(lines: Sequence[bytes], key: bytes) -> tuple[int, list[tuple[str, str]]]:
    """How many alterations of a trail were tried, and by name what is wrong. Raises InvalidRunError for one that is too short.

    Who finds fault with everything would find every alteration: the trail itself has to pass for whole.
    """
    if len(lines) < _LEAST_LINES:
        raise InvalidRunError(f"the trail has {len(lines)} lines, and nothing can be altered in so few")
    if not follow_chain(lines, key):
        return 0, [("the trail as it is", "its lines are not signed one after the other with the key")]
    head = json.loads(lines[-1])[_DIGEST]
    if not review_trail(lines, key, head).is_intact:
        return 0, [("the trail as it is", "nobody altered it, and it passes for altered")]
    alterations = [(name, altered) for name, altered in list_alterations(lines) if altered != lines]
    passing = [(name, altered) for name, altered in alterations if review_trail(altered, key, head).is_intact]
    return len(alterations), [(name, f"altered, it passes for whole: {len(altered)} lines held") for name, altered in passing]


def follow_chain(lines: Sequence[bytes], key: bytes) -> bool:
    """The check's own reading of the format: every line is signed, and names the digest of the line before."""
    previous = START
    for line in lines:
        signed, _, rest = line.rpartition(b',"' + _DIGEST.encode() + b'":"')
        body, digest = json.loads(line), rest[:-3].decode()
        expected = hmac.digest(key, signed + b"}", hashlib.sha256).hex()
        if body.get("previous") != previous or not hmac.compare_digest(digest, expected):
            return False
        previous = digest
    return bool(lines)


def list_alterations(lines: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """What somebody does to a trail who has no key. The last one only shows against a digest that was noted elsewhere."""
    whole, middle = list(lines), len(lines) // 2
    for place in sorted({0, middle, len(lines) - 1}):
        edited = whole[place].replace(b'"status":4', b'"status":2').replace(b'"event":"', b'"event":"not ')
        yield f"line {place + 1} edited", [*whole[:place], edited, *whole[place + 1 :]]
        yield f"line {place + 1} removed", [*whole[:place], *whole[place + 1 :]]
        yield f"line {place + 1} twice", [*whole[: place + 1], *whole[place:]]
    forged = json.loads(whole[middle])
    forged.pop(_DIGEST)
    encoded = json.dumps(forged | {"event": "nothing"}, separators=(",", ":")).encode()
    signed = encoded[:-1] + b',"digest":"' + hashlib.sha256(encoded).hexdigest().encode() + b'"}\n'
    yield f"line {middle + 1} signed without the key", [*whole[:middle], signed, *whole[middle + 1 :]]
    yield "two lines changed places", [*whole[:middle], whole[middle], whole[middle - 1], *whole[middle + 1 :]]
    yield "the end cut off", whole[:middle]


def _build_source(place: str) -> Mapping[str, object]:
    return {"name": "trail-near", "connector": "postgres", "url": f"postgresql://nobody:{place}/nothing"}
