"""GET requests to one origin: bounded in time and size, repeated where that is safe, and never sent anywhere else."""

import contextlib
import email.utils
import http.client
import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import DecodeError, HTTPError

from jivsbench.api import ReadLimits, open_socket
from jivsbench.errors import (
    AccessDeniedError,
    CancelledJobError,
    ConfigError,
    DeadlineError,
    ExtractionError,
    JivsbenchError,
    MissingObjectError,
    SourceUnreachableError,
)
from jivsbench.model.whole_numbers import parse_whole_number
from jivsbench_rest.address import Address, find_origin

_SILENCE_S: Final = 10.0
"""A server that sends nothing for so long is asked again, while there is time."""
_ATTEMPTS: Final = 5
_FIRST_PAUSE_S: Final = 0.2
_MAX_PAUSE_S: Final = 10.0
_MAX_REDIRECTS: Final = 5
_CHUNK_BYTES: Final = 65_536
_OK: Final = 200
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_DENIED: Final = (401, 403)
_ABSENT: Final = (404, 410)
_TOO_MANY: Final = 429
_PASSING: Final = (500, 502, 503, 504)
_EPOCH_FROM_S: Final = 1_000_000_000
"""A larger X-RateLimit-Reset is a moment, a smaller one a number of seconds."""
_EPOCH_FROM_MS: Final = 100_000_000_000
"""A still larger one is a moment in milliseconds: as seconds it would lie thousands of years ahead."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of status 200, decompressed. `target` is where it came from after redirects."""

    target: str
    headers: Mapping[str, str]
    body: bytes


class _TryAgainError(Exception):
    """This attempt failed in a way that may pass. `pause_s` is how long the server asked to wait; None: it did not say."""

    def __init__(self, reason: str, pause_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause_s = pause_s


class _Line(HTTPConnection):
    """Connects to addresses that were looked up already, when there are some. Certificates are still the name's."""

    addresses: tuple[str, ...] = ()

    def _new_conn(self) -> socket.socket:
        if not self.addresses:
            return super()._new_conn()
        return open_socket(self.addresses, self.port, self.timeout)


class _PlainLine(_Line):
    """Over http."""


class _SecureLine(_Line, HTTPSConnection):
    """Over https."""


class Exchange:
    """One keep-alive connection with the origin of an address. Used by one thread at a time, except `cancel`."""

    def __init__(self, address: Address, limits: ReadLimits) -> None:
        self._address = address
        self._limits = limits
        self._connection: _PlainLine | _SecureLine | None = None
        self._not_before_s = 0.0
        self._cancelled = threading.Event()
        self.server = ""
        """What the last answer said of its server."""

    def open(self) -> None:
        """Connect. Raises SourceUnreachableError within the connect timeout."""
        try:
            self._connect(self._limits.connect_timeout_s)
        except (OSError, HTTPError) as problem:
            raise self._unreachable(problem) from None

    def get(self, target: str, deadline_s: float, asked: str) -> Answer:
        """Ask for a path and query, again if need be, until `deadline_s` of the monotonic clock. `asked` names it in messages."""
        failures = 0
        while True:
            self._pause(self._not_before_s - time.monotonic(), deadline_s, asked, "its rate limit is used up")
            try:
                return self._follow(target, deadline_s, asked)
            except _TryAgainError as problem:
                self.close()
                self.raise_if_cancelled(asked)
                failures += problem.pause_s is None
                if failures >= _ATTEMPTS:
                    raise SourceUnreachableError(
                        f"{self._address.place} did not give {asked}: {problem.reason}, {_ATTEMPTS} times; try again later"
                    ) from None
                self._pause(_choose_pause(problem.pause_s, failures), deadline_s, asked, problem.reason)

    def cancel(self) -> None:
        """End the request under way, from any thread."""
        self._cancelled.set()
        connection = self._connection
        sock = getattr(connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def raise_if_cancelled(self, asked: str) -> None:
        """Raise CancelledJobError when `cancel` was called since the read began."""
        if self._cancelled.is_set():
            raise CancelledJobError(f"{self._address.place} did not give {asked}: it was cancelled on request")

    def forget_cancel(self) -> None:
        """A new read begins, or the session is given to somebody else."""
        self._cancelled.clear()

    def close(self) -> None:
        """Let the connection go; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self, timeout_s: float) -> "_PlainLine | _SecureLine":
        address = self._address
        if self._connection is None:
            if address.scheme == "https":
                self._connection = _SecureLine(
                    address.host, address.port, timeout=timeout_s, cert_reqs=ssl.CERT_REQUIRED, ssl_context=self._build_context()
                )
            else:
                self._connection = _PlainLine(address.host, address.port, timeout=timeout_s)
            self._connection.addresses = address.addresses
        if self._connection.is_closed:
            self._connection.timeout = timeout_s
            self._connection.connect()
        return self._connection

    def _build_context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._address.options.ca_file or None)
        except OSError as problem:
            raise ConfigError(f"ca_file {self._address.options.ca_file!r} cannot be read ({type(problem).__name__})") from None

    def _follow(self, target: str, deadline_s: float, asked: str) -> Answer:
        """One attempt, through redirects that stay on the origin."""
        for _ in range(_MAX_REDIRECTS):
            with self._send(target, deadline_s, asked) as response:
                self._note_rate(response.headers)
                if response.status not in _REDIRECTS:
                    self._check_status(response, asked)
                    return Answer(target, response.headers, self._read_body(response, deadline_s, asked))
                location = response.headers.get("location", "")
            # Its body is of no interest, and may be of any length.
            self.close()
            target = self.resolve(target, location, asked)
        raise ExtractionError(f"{self._address.place} redirects {asked} more than {_MAX_REDIRECTS} times: correct the URL")

    def resolve(self, target: str, link: str, asked: str) -> str:
        """The path and query that a link or redirect leads to. Raises ExtractionError when it leaves the origin."""
        address = self._address
        host = f"[{address.host}]" if ":" in address.host else address.host
        try:
            url = urljoin(f"{address.scheme}://{host}:{address.port}{target}", link)
            is_inside = bool(link) and find_origin(url) == address.origin
        except ValueError:
            is_inside = False
        if not is_inside:
            raise ExtractionError(
                f"{address.place} leads from {asked} to another host, port or scheme, which is refused: a token must not follow"
            )
        parts = urlsplit(url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        # Blanks and letters beyond ASCII, which links hold although they should not, cannot stand in a request.
        return quote(target, safe="/?%:@!$&'()*+,;=~[]")

    @contextlib.contextmanager
    def _send(self, target: str, deadline_s: float, asked: str) -> Iterator[Any]:
        """The response to one request, as it begins. What may pass becomes _TryAgainError."""
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "jivsbench"}
        if self._address.authorization:
            headers["Authorization"] = self._address.authorization.reveal()
        try:
            remaining_s = self._remaining(deadline_s, asked)
            connection = self._connect(min(self._limits.connect_timeout_s, remaining_s))
            # A cancel that came while there was no connection yet had nothing to shut down.
            self.raise_if_cancelled(asked)
            self._limit_silence(deadline_s, asked)
            connection.request("GET", target, headers=headers, preload_content=False, decode_content=True)
            response = connection.getresponse()
            self.server = response.headers.get("server", "")
            yield response
            self.raise_if_cancelled(asked)
        except JivsbenchError:
            self.close()
            raise
        except DecodeError:
            self.close()
            raise ExtractionError(f"{self._address.place} sent {asked} with a compression that cannot be undone") from None
        except (OSError, HTTPError, http.client.HTTPException) as problem:
            self.raise_if_cancelled(asked)
            if _is_about_certificate(problem):
                raise self._unreachable(problem) from None
            raise _TryAgainError(f"the connection failed ({type(problem).__name__})") from None

    def _check_status(self, response: Any, asked: str) -> None:
        status, place = response.status, self._address.place
        if status == _OK:
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "application/json" or kind.endswith("+json"):
                return
            raise ExtractionError(f"{place} answered {asked} with something that is no JSON: check the path of the source's URL")
        if status in _DENIED:
            raise AccessDeniedError(f"{place} refuses {asked} ({status}): the token is wrong, lacks a right, or has expired")
        if status in _ABSENT:
            raise MissingObjectError(f"{place} has no {asked} ({status}): check its name and the path of the source's URL")
        if status == _TOO_MANY or (status in _PASSING and "retry-after" in response.headers):
            raise _TryAgainError(f"it answered {status}", read_retry_after(response.headers.get("retry-after", "")))
        if status in _PASSING:
            raise _TryAgainError(f"it answered {status}")
        raise ExtractionError(f"{place} answered {asked} with status {status}: check the source's URL and its options")

    def _read_body(self, response: Any, deadline_s: float, asked: str) -> bytes:
        """All of it, decompressed piece by piece, so that a bomb is noticed before it has gone off."""
        most = self._address.options.max_page_bytes
        chunks: list[bytes] = []
        size = 0
        while True:
            self._limit_silence(deadline_s, asked)
            chunk = response.read1(_CHUNK_BYTES, decode_content=True)
            self.raise_if_cancelled(asked)
            if not chunk:
                return b"".join(chunks)
            size += len(chunk)
            if size > most:
                raise ExtractionError(
                    f"{self._address.place} sent a page of {asked} of more than {most} bytes: ask for smaller pages (page_size), "
                    "or raise max_page_bytes"
                )
            chunks.append(chunk)

    def _limit_silence(self, deadline_s: float, asked: str) -> None:
        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            sock.settimeout(min(_SILENCE_S, self._remaining(deadline_s, asked)))

    def _remaining(self, deadline_s: float, asked: str) -> float:
        remaining_s = deadline_s - time.monotonic()
        if remaining_s <= 0:
            raise self._late(asked, "it takes too long")
        return remaining_s

    def _pause(self, pause_s: float, deadline_s: float, asked: str, reason: str) -> None:
        if pause_s <= 0:
            return
        if time.monotonic() + pause_s >= deadline_s:
            raise self._late(asked, f"{reason}, and the wait of {pause_s:.1f} s before the next try would end too late")
        self._cancelled.wait(pause_s)
        self.raise_if_cancelled(asked)

    def _late(self, asked: str, reason: str) -> DeadlineError:
        return DeadlineError(f"{self._address.place} did not give {asked} in time: {reason}; raise query_timeout_s")

    def _note_rate(self, headers: Mapping[str, str]) -> None:
        """An API that says that nothing is left is not asked again before it says so."""
        reset = parse_whole_number(headers.get("x-ratelimit-reset", "").strip())
        if reset is not None and headers.get("x-ratelimit-remaining", "").strip() == "0":
            self._not_before_s = time.monotonic() + max(read_reset(reset, time.time()), 0.0)

    def _unreachable(self, problem: Exception) -> SourceUnreachableError:
        self.close()
        place = self._address.place
        if _is_about_certificate(problem):
            return SourceUnreachableError(f"{place} shows no certificate that this machine trusts: give its authority by ca_file")
        return SourceUnreachableError(
            f"no server answers at {place} ({type(problem).__name__}): is it up, are host and port right?"
        )


def _choose_pause(asked_s: float | None, failures: int) -> float:
    """Seconds before the next try: what the server asked for, else longer each time, and never the same for two clients."""
    if asked_s is not None:
        # A server that says "at once" again and again is not stormed.
        return max(asked_s, _FIRST_PAUSE_S)
    spread = random.uniform(0.5, 1.0)  # noqa: S311 - it protects nothing
    return min(_FIRST_PAUSE_S * 2.0 ** (failures - 1), _MAX_PAUSE_S) * spread


def _is_about_certificate(problem: Exception) -> bool:
    """True for a certificate that is not trusted, which no second try changes; False for a line that broke."""
    return any(isinstance(error, ssl.SSLCertVerificationError) for error in (problem, problem.__cause__, *problem.args))


def read_retry_after(text: str) -> float | None:
    """Seconds to wait, from seconds or from a date; None when it says nothing that can be read."""
    seconds = parse_whole_number(text.strip())
    if seconds is not None:
        return float(seconds)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    # Dates of HTTP are in UTC, also the oldest form of them, which does not say so.
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time(), 0.0)


def read_reset(reset: int, now_s: float) -> float:
    """Seconds until the moment that X-RateLimit-Reset names: seconds from now, or a Unix time in seconds or milliseconds."""
    if reset >= _EPOCH_FROM_MS:
        return reset / 1000 - now_s
    return reset - now_s if reset >= _EPOCH_FROM_S else reset
