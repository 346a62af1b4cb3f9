"""Around every request: correlation id, authentication, the limit of its body, and an answer whatever goes wrong.

Plain ASGI, because a layer that wraps requests in tasks costs more than the routes do.
"""

import contextlib
import logging
import random
import re
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jivsbench.errors import AuditError
from jivsbench.service.audit import AuditTrail
from jivsbench.service.auth import Authority, Caller
from jivsbench.service.log_lines import correlation
from jivsbench.service.problems import INTERNAL, TOO_LARGE, UNAUTHORIZED, Problem, describe_error

_LOG = logging.getLogger(__name__)
MAX_BODY_BYTES: Final = 1 << 20
OPENAPI_PATH: Final = "/api/v1/openapi.json"
OPEN_PATHS: Final = frozenset({"/health", "/ready", OPENAPI_PATH})
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADER: Final = b"x-correlation-id"
_CORRELATION_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_FIXED_HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Envelope:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, authority: Authority, trail: AuditTrail) -> None:
        self._app = app
        self._authority = authority
        self._trail = trail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(dict(scope["headers"]), receive, send)
        token = correlation.set(exchange.correlation_id)
        try:
            await self._answer(scope, exchange)
        finally:
            correlation.reset(token)

    async def _answer(self, scope: Scope, exchange: "_Exchange") -> None:
        caller = self._authority.find_caller(exchange.headers.get(b"authorization"))
        role = caller.role if caller else None
        state = scope.setdefault("state", {})
        state.update(role=role, correlation_id=exchange.correlation_id)
        facts = _describe(scope, caller, exchange.correlation_id)
        if role is None and scope["path"] not in OPEN_PATHS:
            _LOG.warning("a request without a valid token was refused", extra={"method": scope["method"], "path": scope["path"]})
            self._note_refusal(facts, 401, UNAUTHORIZED)
            await exchange.refuse(scope, UNAUTHORIZED)
            return
        try:
            if scope["method"] not in _READING:
                # Before it is carried out: what cannot be written down does not happen.
                self._trail.record("asked", **facts)
            await self._app(scope, exchange.receive, exchange.send)
        except BodyTooLargeError:
            await exchange.refuse(scope, TOO_LARGE)
        except AuditError as exc:
            await exchange.refuse(scope, describe_error(exc))
        except Exception:  # noqa: BLE001 - whatever it is, the client gets a problem without its text
            _LOG.error("a request failed", exc_info=True, extra={"method": scope["method"]})
            await exchange.refuse(scope, INTERNAL)
        if exchange.status >= HTTPStatus.BAD_REQUEST:
            self._note_refusal(facts, exchange.status, state.get("problem") or exchange.problem)

    def _note_refusal(self, facts: dict[str, object], status: int, problem: Problem | None) -> None:
        told = {"slug": problem.slug, "detail": problem.detail} if problem else {}
        # It stays refused when the trail cannot be written, and the log says that it cannot.
        with contextlib.suppress(AuditError):
            self._trail.record("refused", **facts, status=status, **told)


def _describe(scope: Scope, caller: Caller | None, correlation_id: str) -> dict[str, object]:
    """Who asks for what: no header, no query string, no body, any of which may hold a secret or a value."""
    client = scope.get("client")
    return {
        "role": caller.role.value if caller else None,
        "token": caller.token_id if caller else None,
        "from": client[0] if client else None,
        "method": scope["method"],
        "path": scope["path"],
        "correlation_id": correlation_id,
    }


class BodyTooLargeError(HTTPException):
    """The body went over the limit. An HTTPException, because the framework lets only these through while it reads."""

    def __init__(self) -> None:
        super().__init__(413)


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_body_bytes", "_receive", "_send", "_started", "correlation_id", "headers", "problem", "status")

    def __init__(self, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        self.headers = headers
        asked = headers.get(_HEADER, b"")
        self.correlation_id = asked.decode() if _CORRELATION_ID.fullmatch(asked) else _build_id()
        self._receive = receive
        self._send = send
        self._body_bytes = 0
        self._started = False
        self.status = 0
        self.problem: Problem | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        self._body_bytes += len(message.get("body", b""))
        if self._body_bytes > MAX_BODY_BYTES or self._announced_bytes() > MAX_BODY_BYTES:
            raise BodyTooLargeError
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            message["headers"] = [*message["headers"], (_HEADER, self.correlation_id.encode()), *_FIXED_HEADERS]
        await self._send(message)

    async def refuse(self, scope: Scope, problem: Problem) -> None:
        self.problem = problem
        if not self._started:
            await problem.to_response(self.correlation_id)(scope, self.receive, self.send)

    def _announced_bytes(self) -> int:
        announced = self.headers.get(b"content-length", b"")
        return int(announced) if announced.isdigit() else 0


def _build_id() -> str:
    # It has to be new, not secret; and asking the kernel would hand the interpreter to a worker on every request.
    return f"{random.getrandbits(128):032x}"
