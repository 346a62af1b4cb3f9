"""The checks' own servers: what they hear is heard, and each is wrong in the way that it says."""

import contextlib
import http.server
import os
import random
import resource
import socket
import ssl
import threading
import time
import warnings
from dataclasses import replace
from types import SimpleNamespace

import psycopg
import pytest
import redis

from jivsbench.api import Response
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.secret import Secret
from jivsbench_security.credentials.ciphertexts import find_encodings, list_tamperings
from jivsbench_security.servers.certificates import Certificates
from jivsbench_security.servers.fronts import HOSTILE, Line, allow_tls_1_0, list_testable
from jivsbench_security.servers.postgres_front import PostgresFront
from jivsbench_security.servers.redis_front import RedisFront
from jivsbench_security.tls.cache_tls import CacheTlsCheck
from jivsbench_security.tls.database_tls import DatabaseTlsCheck
from jivsbench_security.tls.gaps import admit_gap

PASSWORD = "s3cret-canary"
WRONG = {
    Line.SELF_SIGNED: "self-signed|self signed",
    Line.WRONG_HOST: "not valid for|mismatch|doesn't match",
    Line.EXPIRED: "expired",
    Line.OLD_TLS: "version|protocol|internal",
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One set for all tests."""
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


def log_in(port: int, options: str) -> None:
    """As libpq does it; the front refuses every password."""
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/shop?connect_timeout=5&{options}").close()


@pytest.mark.parametrize("line", list(Line))
def test_a_trusting_client_gives_its_password_to_every_server_and_a_careful_one_to_the_right_one(
    certificates: Certificates, line: Line
) -> None:
    """Libpq with its own default, and with verify-full."""
    careful = f"sslmode=verify-full&sslrootcert={certificates.authority}"
    with PostgresFront(Line.TRUSTED, certificates) as trusted:
        with PostgresFront(line, certificates, trusted.port) as front:
            log_in(front.port, "sslmode=prefer")
            # Refused over TLS, libpq even tries once more without.
            assert front.count_heard(PASSWORD, line) >= 1
        with PostgresFront(line, certificates, trusted.port) as front:
            log_in(front.port, careful)
            assert front.count_heard(PASSWORD, line) == (line is Line.TRUSTED)
            assert set(front.met) == {line}


@pytest.mark.parametrize("line", list(WRONG))
def test_a_server_is_wrong_as_it_says(certificates: Certificates, line: Line) -> None:
    """The careful client names the fault, and no other."""
    context = ssl.create_default_context(cafile=certificates.authority)
    with RedisFront(certificates, HOSTILE) as front:
        front.line = line
        with socket.create_connection(("127.0.0.1", front.port), timeout=5) as sock, pytest.raises(ssl.SSLError) as caught:
            context.wrap_socket(sock, server_hostname="127.0.0.1")

    assert any(word in str(caught.value).lower() for word in WRONG[line].split("|")), str(caught.value)


def test_a_server_goes_on_when_there_was_no_file_for_a_client(certificates: Certificates) -> None:
    """It lost its ear once by that, and whoever came afterwards had "refused" to say its password."""
    with PostgresFront(Line.NO_TLS, certificates) as front, socket.socket() as client:
        client.settimeout(5)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        opened: list[int] = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 20, before[1]))
            with contextlib.suppress(OSError):
                while True:
                    opened.append(os.dup(client.fileno()))
            client.connect(("127.0.0.1", front.port))
            time.sleep(0.2)
        finally:
            for one in opened:
                os.close(one)
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        client.sendall((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))

        assert client.recv(1) == b"N"


def test_a_machine_without_tls_1_0_leaves_the_check_untested(certificates: Certificates, monkeypatch) -> None:
    """Five of six is no PASS; a hole is a hole all the same."""
    assert list_testable(certificates) == HOSTILE
    monkeypatch.setattr(ssl, "HAS_TLSv1", False)
    lines = list_testable(certificates)
    passed = CheckResult("SEC-016", "t", Severity.HIGH, CheckOutcome.PASS, "10 log-ins")

    assert set(HOSTILE) - set(lines) == {Line.OLD_TLS}
    assert admit_gap(passed, HOSTILE) == passed
    assert admit_gap(passed, lines).outcome is CheckOutcome.NOT_TESTED
    assert "TLS 1.0 alone" in admit_gap(passed, lines).reason
    assert admit_gap(replace(passed, outcome=CheckOutcome.FAIL), lines).outcome is CheckOutcome.FAIL


class LazyTarget:
    """Stores every source, and connects to those alone that ask for `mode`, and refuses what it stores of others or not."""

    def __init__(self, mode: str, refusal: int = 0) -> None:
        self._mode, self._refusal = mode, refusal
        self._urls: dict[str, str] = {}

    def call(self, method: str, path: str, body=None) -> Response:
        """As the API, as far as the check asks for it."""
        if path == "/data-sources":
            if self._mode not in body["url"] and self._refusal:
                return Response(self._refusal, {"slug": "config"})
            self._urls[body["name"]] = body["url"]
            return Response(201, {})
        url = self._urls[path.split("/")[2]]
        if method == "POST" and self._mode in url:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(f"{url}&connect_timeout=5").close()
        return Response(503, {"slug": "source-unreachable"})


@pytest.mark.parametrize(
    ("target", "outcome"),
    [
        (LazyTarget("sslmode=verify-full"), "6 of 12 texts got no answer"),
        (LazyTarget("sslmode=verify-full", refusal=422), CheckOutcome.PASS),
        (LazyTarget("sslmode=verify-full", refusal=503), "6 of 12 texts got no answer"),
        (LazyTarget(""), CheckOutcome.FAIL),
    ],
)
def test_a_server_that_was_never_asked_has_refused_nobody(tmp_path, target, outcome) -> None:
    """A log-in counts when the server was met, or when the URL was refused for what it says; else nothing was tested."""
    context = SimpleNamespace(dialect="postgres", seed=1, target=target, make_folder=lambda: tmp_path)
    if not isinstance(outcome, CheckOutcome):
        with pytest.raises(InvalidRunError, match=outcome):
            DatabaseTlsCheck().run(context)
    else:
        result = DatabaseTlsCheck().run(context)
        assert (result.outcome, result.reached) == (outcome, 12)


def test_tls_1_0_is_really_spoken(certificates: Certificates) -> None:
    """A client that allows it gets it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificates.authority)
    allow_tls_1_0(context)
    with RedisFront(certificates, HOSTILE) as front, warnings.catch_warnings():
        front.line = Line.OLD_TLS
        sock = socket.create_connection(("127.0.0.1", front.port), timeout=5)
        with context.wrap_socket(sock, server_hostname="127.0.0.1") as encrypted:
            assert encrypted.version() == "TLSv1"


def test_the_cache_front_is_a_cache_that_misses(certificates: Certificates) -> None:
    """Over TLS, with a password; then the next connection meets another server."""
    url = f"rediss://:{PASSWORD}@127.0.0.1"
    with RedisFront(certificates, HOSTILE) as front:
        options = {"ssl_ca_certs": str(certificates.authority), "protocol": 2, "socket_timeout": 5}
        client = redis.Redis.from_url(f"{url}:{front.port}/0", **options)
        assert client.ping()
        assert client.get("a") is None
        assert front.count_heard(PASSWORD, Line.TRUSTED) == 1
        front.turn_hostile([Line.SELF_SIGNED] * 3)
        with pytest.raises(redis.ConnectionError):
            client.get("a")
        client.close()

    assert front.count_heard(PASSWORD, Line.SELF_SIGNED) == 0


def test_every_tampering_differs_from_what_is_stored() -> None:
    """Every bit once, and the coarser ones."""
    stored = "jivs1:0123456789abcdef:" + "QUJD" * 20
    found = list(list_tamperings(stored, stored.replace("QUJD", "QUJE"), "postgresql://x", random.Random(1)))

    assert len({one.text for one in found}) == len(found) == 11 + 8 * 60
    assert stored not in {one.text for one in found}


@pytest.mark.parametrize("offset", range(6))
def test_an_encoded_password_is_found(offset: int) -> None:
    """base64, wherever in a longer text it begins; hex; as it is."""
    import base64

    text = b"x" * offset + PASSWORD.encode() + b"y" * 5
    for content in (text, base64.b64encode(text), base64.urlsafe_b64encode(text), text.hex().encode()):
        assert any(form in content for form in find_encodings(PASSWORD))
    assert not any(form in b"another text " + base64.b64encode(b"another secret") for form in find_encodings(PASSWORD))


class DeafHandler(http.server.BaseHTTPRequestHandler):
    """A target that knows nothing, and asks no cache for it."""

    def do_GET(self) -> None:
        """404."""
        self.send_error(404)

    def log_message(self, *_arguments: object) -> None:
        """Nobody reads it."""


def test_a_cache_server_that_was_never_asked_has_refused_nobody(tmp_path, monkeypatch) -> None:
    """The password was told to the trusted server once, and then nobody came: nothing was tested."""
    monkeypatch.setattr("jivsbench_security.tls.cache_tls._ROUNDS", 1)
    deaf = http.server.ThreadingHTTPServer(("127.0.0.1", 0), DeafHandler)
    threading.Thread(target=deaf.serve_forever, daemon=True).start()

    @contextlib.contextmanager
    def launch(changes):
        """It logs in once."""
        redis.Redis.from_url(changes.cache_url.reveal(), protocol=2).ping()
        yield SimpleNamespace(base_url=f"http://127.0.0.1:{deaf.server_port}", token=Secret("t"))

    target = SimpleNamespace(call=lambda *_: Response(200, {"switches": {"cache": True}}))
    context = SimpleNamespace(
        cache_url=Secret("redis://h"), target=target, launch=launch, is_full=False, seed=1, make_folder=lambda: tmp_path
    )
    with pytest.raises(InvalidRunError, match="6 of 6"):
        CacheTlsCheck().run(context)
    deaf.shutdown()
    deaf.server_close()
