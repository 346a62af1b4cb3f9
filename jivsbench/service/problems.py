"""Refusals and failures as problem documents (RFC 9457): a slug, a line that repeats no value, a correlation id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from jivsbench.errors import JivsbenchError
from jivsbench.extract.jobs.failures import flatten

MEDIA_TYPE: Final = "application/problem+json"
_TYPE: Final = "urn:jivsbench:message:"
_RETRY_AFTER_S: Final = {"queue-full": 1, "pool-timeout": 1, "shutting-down": 5}
_FIELDS_SHOWN: Final = 10

# What a client hears of errors that the core raises. Whatever is not here is the service's own fault: 500, without its text,
# which can name folders and servers.
_STATUSES: Final = {
    "access-denied": HTTPStatus.BAD_GATEWAY,
    "audit": HTTPStatus.SERVICE_UNAVAILABLE,
    "cache-unreachable": HTTPStatus.SERVICE_UNAVAILABLE,
    "credential": HTTPStatus.SERVICE_UNAVAILABLE,
    "config": HTTPStatus.UNPROCESSABLE_ENTITY,
    "deadline": HTTPStatus.GATEWAY_TIMEOUT,
    "destination": HTTPStatus.UNPROCESSABLE_ENTITY,
    "duplicate-name": HTTPStatus.CONFLICT,
    "environment": HTTPStatus.BAD_GATEWAY,
    "guard-refused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "job-state": HTTPStatus.CONFLICT,
    "missing-object": HTTPStatus.UNPROCESSABLE_ENTITY,
    "pool-timeout": HTTPStatus.SERVICE_UNAVAILABLE,
    "queue-full": HTTPStatus.SERVICE_UNAVAILABLE,
    "shutting-down": HTTPStatus.SERVICE_UNAVAILABLE,
    "source-unreachable": HTTPStatus.BAD_GATEWAY,
    "unknown-job": HTTPStatus.NOT_FOUND,
    "unknown-name": HTTPStatus.NOT_FOUND,
    "usage": HTTPStatus.UNPROCESSABLE_ENTITY,
}
_SLUGS: Final = {
    HTTPStatus.BAD_REQUEST: "bad-request",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method-not-allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body-too-large",
}


class ProblemDocument(BaseModel):
    """The body of every answer that is not a success."""

    type: str
    title: str
    status: int
    detail: str
    slug: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem before it becomes an answer."""

    status: int
    slug: str
    detail: str
    headers: tuple[tuple[str, str], ...] = ()

    def to_response(self, correlation_id: str) -> Response:
        """The answer."""
        title = HTTPStatus(self.status).phrase
        document = ProblemDocument(
            type=_TYPE + self.slug,
            title=title,
            status=self.status,
            detail=self.detail,
            slug=self.slug,
            correlation_id=correlation_id,
        )
        return Response(document.model_dump_json(), self.status, dict(self.headers), MEDIA_TYPE)


class RefusedError(Exception):
    """Raised by a route to answer with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.slug)
        self.problem = problem


INTERNAL: Final = Problem(500, "internal", "the service failed: tell its owner the correlation id, the log has the place")
UNAUTHORIZED: Final = Problem(
    401, "unauthorized", "send a valid token: Authorization: Bearer <token>", (("WWW-Authenticate", "Bearer"),)
)
TOO_LARGE: Final = Problem(413, "body-too-large", "the body is larger than 1 MiB: send a smaller request")


def describe_error(error: JivsbenchError, status: int | None = None) -> Problem:
    """The problem behind an error of the core; `status` overrides the usual one."""
    known = status or _STATUSES.get(error.slug)
    if known is None:
        return INTERNAL
    retry_after_s = _RETRY_AFTER_S.get(error.slug)
    headers = (("Retry-After", str(retry_after_s)),) if retry_after_s else ()
    return Problem(int(known), error.slug, flatten(str(error)), headers)


def describe_http_error(error: HTTPException) -> Problem:
    """The problem behind what the framework refuses: no such path, no such method."""
    status = HTTPStatus(error.status_code)
    headers = tuple((error.headers or {}).items())
    return Problem(status, _SLUGS.get(status, "refused"), f"{status.phrase.lower()}: see /api/v1/openapi.json", headers)


def describe_validation(error: RequestValidationError) -> Problem:
    """The problem behind a request that does not fit: fields and what each needs, never what was sent."""
    complaints = [_describe_field(complaint) for complaint in error.errors()]
    more = f" (and {len(complaints) - _FIELDS_SHOWN} more)" if len(complaints) > _FIELDS_SHOWN else ""
    return Problem(422, "validation", f"the request does not fit: {'; '.join(complaints[:_FIELDS_SHOWN])}{more}")


def _describe_field(complaint: Mapping[str, Any]) -> str:
    kind, place = complaint["type"], complaint["loc"]
    assert isinstance(place, Sequence)
    if kind == "json_invalid":
        return "the body is not JSON"
    if kind == "extra_forbidden":
        # The name of an unknown field is the sender's text, so only its place is told.
        return f"{_format_place(place[:-1])}: has a field that does not exist"
    if kind == "union_tag_invalid":
        # The framework's own message repeats the tag that was sent.
        expected = complaint["ctx"]["expected_tags"]
        return f"{_format_place(place)}: is none of {expected}"
    message = str(complaint["msg"]).removeprefix("Value error, ")
    return f"{_format_place(place)}: {flatten(message)}"


def _format_place(place: Sequence[object]) -> str:
    return ".".join(str(part) for part in place)
