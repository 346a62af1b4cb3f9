import hashlib
import hmac
import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from jivsbench.api import CheckContext
from jivsbench.errors import InvalidRunError
from jivsbench.model.audit import START, TrailReview, format_line, review_trail
from jivsbench.model.secret import Secret
from jivsbench_security.exchanges import API, Client, Exchange
from jivsbench_security.leaks.canaries import draw_canary
from jivsbench_security.leaks.error_hygiene import list_disclosures
from jivsbench_security.trails.log_lines import LogMark, find_forgery, find_malformed, find_miscount
from jivsbench_security.trails.trail_attacks import (
    AuditTrailCheck,
    Sent,
    TrailSession,
    find_omission,
    follow_chain,
    judge_chain,
    list_alterations,
    read_lines,
)
from jivsbench_security.trails.trail_key import derive_trail_key

KEY = b"k" * 32
LINE = {"at": "2024-01-01T00:00:00.000+00:00", "level": "INFO", "logger": "x", "message": "m"}


def write_trail(count: int = 6) -> list[bytes]:
    """A trail as the host writes it."""
    lines, previous = [], START
    for number in range(1, count + 1):
        line, previous = format_line({"event": "refused", "status": 422}, number, previous, KEY)
        lines.append(line)
    return lines


def test_a_sound_chain_is_followed_and_every_alteration_breaks_it() -> None:
    """By the check's own reading of the format, and by the host's: the cut-off end by the noted digest alone."""
    lines = write_trail()
    head = json.loads(lines[-1])["digest"]
    altered = list(list_alterations(lines))

    assert follow_chain(lines, KEY)
    assert review_trail(lines, KEY, head).is_intact
    assert not any(review_trail(others, KEY, head).is_intact for _, others in altered)
    assert [name for name, others in altered if follow_chain(others, KEY)] == ["line 6 removed", "the end cut off"]
    assert len(altered) >= 10
    assert not follow_chain(lines, b"another")
    assert not follow_chain([], KEY)


def test_the_trail_key_is_that_of_rfc_5869() -> None:
    """The first block of HKDF with an empty salt, of the key as text or as hex digits."""
    raw = bytes(range(32))
    extracted = hmac.digest(bytes(32), raw, hashlib.sha256)

    assert derive_trail_key(raw.hex()) == hmac.digest(extracted, b"jivsbench audit trail\x01", hashlib.sha256)
    assert derive_trail_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=") == derive_trail_key(raw.hex())


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({}, None),
        ({"method": "GET"}, "method"),
        ({"path": None}, "path"),
        ({"status": 500}, "answered"),
        ({"slug": None}, "answered"),
        ({"from": None}, "who"),
        ({"token": None}, "who"),
        ({"role": None}, "who"),
        ({"at": "soon"}, "when"),
        ({"at": "1999-01-01T00:00:00+00:00"}, "dated"),
    ],
)
def test_an_entry_that_lacks_who_what_or_when_is_told(change: dict[str, object], missing: str | None) -> None:
    """And one that lacks nothing is not; none at all is the worst."""
    now = datetime.now(UTC)
    answer = Exchange("POST", f"{API}/extractions", 422, (), b'{"slug": "guard-refused"}')
    sent = Sent("x", "id", now, has_token=True, answer=answer)
    event = {"at": (now + timedelta(milliseconds=5)).isoformat(), "method": "POST", "path": f"{API}/extractions", "status": 422}
    event |= {"slug": "guard-refused", "from": "127.0.0.1", "token": "0f", "role": "ADMIN"}

    problem = find_omission({**event, **change}, sent)
    assert (problem is None) is (missing is None)
    assert missing is None or missing in str(problem)
    assert find_omission(None, sent) is not None


@pytest.mark.parametrize(
    "line",
    [
        b"plain text",
        b'{"at": 1',
        b'["at"]',
        json.dumps(LINE).replace("x", "\x1b[2J").encode(),
        json.dumps({**LINE, "path": "\u202e"}, ensure_ascii=False).encode(),
        json.dumps(LINE | {"at": "never"}).encode(),
        json.dumps(LINE | {"level": "LOUD"}).encode(),
        json.dumps(LINE | {"logger": "forged"}).encode(),
        json.dumps({"at": LINE["at"]}).encode(),
        b"",
    ],
)
def test_a_line_that_somebody_else_wrote_is_a_forgery(line: bytes) -> None:
    """What is no JSON object in printable ASCII, and what lacks what each event has."""
    assert find_forgery(line) is not None


def test_a_line_of_the_service_is_none() -> None:
    """Escapes are letters like others."""
    assert find_forgery(json.dumps({**LINE, "path": "\x1b\u202e\n"}).encode()) is None
    assert find_malformed(b"{}") is None


def test_errors_that_tell_too_much_are_noticed() -> None:
    """A value, a stack frame, a driver's text, a missing or another correlation id."""
    canary = draw_canary("a row")

    def judge(detail: str, header: str = "1", body_id: str = "1") -> list[str]:
        body = json.dumps({"detail": detail, "correlation_id": body_id}).encode()
        return list(list_disclosures(Exchange("GET", "/", 422, (("X-Correlation-Id", header),), body), [canary]))

    assert judge("the value does not fit") == []
    assert "a row" in judge(f"invalid input: {canary.text}")[0]
    assert "stack trace" in judge('File "/srv/app.py", line 3, in read')[0]
    assert "stack trace" in judge("psycopg.errors.InvalidTextRepresentation")[0]
    assert "no correlation id" in judge("x", header="")[0]
    assert "not in the problem document" in judge("x", body_id="2")[0]
    assert list(list_disclosures(Exchange("GET", "/", 0, (), b""), [canary])) == []


def test_a_trail_is_altered_only_once_it_passes_for_whole() -> None:
    """Every alteration of a sound one is found; one with a broken chain, and one that is too short, prove nothing."""
    lines = write_trail()

    altered, problems = judge_chain(lines, KEY)
    assert (altered >= 10, problems) == (True, [])
    assert judge_chain(lines, b"another")[1][0][0] == "the trail as it is"
    with pytest.raises(InvalidRunError, match="3 lines"):
        judge_chain(lines[:3], KEY)


def test_a_reviewer_that_finds_fault_with_everything_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would find every alteration."""
    monkeypatch.setattr("jivsbench_security.trails.trail_attacks.review_trail", lambda *_: TrailReview(0, START, "always"))

    assert judge_chain(write_trail(), KEY) == (0, [("the trail as it is", "nobody altered it, and it passes for altered")])


def test_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    """Half of it is no JSON, and no sign of tampering."""
    file = tmp_path / "trail.jsonl"
    file.write_bytes(b'{"a":1}\n{"b":')

    assert read_lines(file) == [b'{"a":1}\n']
    file.write_bytes(b'{"b":')
    assert read_lines(file) == []


class ClosedPortTarget:
    """A context whose target answers nothing, and has a trail."""

    def __init__(self, folder: Path) -> None:
        (folder / ".audit").mkdir()
        (folder / ".audit" / "trail-x.jsonl").write_bytes(b"".join(write_trail()))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.output_dir, self.token, self.credential_key = folder, Secret("t" * 20), Secret(bytes(range(32)).hex())
        self.source, self.table, self.dialect, self.is_full = "main", "rows", "postgres", False


def test_an_attack_without_an_answer_is_no_hole(tmp_path: Path) -> None:
    """Nobody knows whether it was refused."""
    session = TrailSession(AuditTrailCheck(), cast("CheckContext", ClosedPortTarget(tmp_path)))
    session.attack()

    assert session.findings == []
    assert session.unanswered == len(session._sent) > 0
    assert session.reached == 0


def test_an_attack_that_is_let_in_is_a_hole(tmp_path: Path) -> None:
    """It was answered, and not refused; six of them are told."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.end_headers()

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            return

    target = ClosedPortTarget(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        target.base_url = f"http://127.0.0.1:{server.server_port}"
        session = TrailSession(AuditTrailCheck(), cast("CheckContext", target))
        session.attack()
        server.shutdown()

    assert (session.attempted, session.reached, session.unanswered) == (len(session._sent), 0, 0)
    assert [finding.title for finding in session.findings] == ["an attack was not refused"] * 6


def test_a_request_that_comes_into_the_log_late_is_awaited(tmp_path: Path) -> None:
    """And what else the service says meanwhile is no second line of it."""
    log = tmp_path / "log"
    log.touch()
    mark = LogMark(log)
    told = json.dumps(LINE).encode() + b"\n" + json.dumps(LINE | {"path": f"{API}/x\n"}).encode() + b"\n"
    writer = threading.Timer(0.2, log.write_bytes, [told])
    writer.start()
    lines = mark.await_path()
    writer.join()

    assert find_miscount(lines, "x\n") is None
    assert find_miscount(lines, "y") is not None
    assert find_miscount([*lines, lines[-1]], "x\n") == "one request made 2 lines with a path"
    assert find_miscount([], "x") == "one request made 0 lines with a path"


def test_a_path_of_a_corpus_that_is_no_utf_8_is_what_the_service_makes_of_it() -> None:
    """Single bytes are letters to nobody."""
    line = json.dumps(LINE | {"path": f"{API}/a\ufffd"}).encode()

    assert find_miscount([line], "a\udcff") is None


def test_a_server_that_answers_before_the_body_is_heard() -> None:
    """As one does that refuses a large body: its answer is the answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(100)
                client.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                time.sleep(0.1)

        server = threading.Thread(target=refuse)
        server.start()
        with Client(f"http://127.0.0.1:{listener.getsockname()[1]}", Secret("x" * 20)) as client:
            answer = client.send("POST", "/", b"x" * (16 << 20))
        server.join()

    assert answer.status == 413
