"""Runs extractions through the target's public API, and reads how they ended."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jivsbench.api import Response, TargetApi
from jivsbench.errors import ExtractionError, JivsbenchError, UsageError

IN_FLIGHT: Final = 8
"""So many jobs at a time: no queue fills up, and nobody's turn takes long enough to look like a delay."""
_WAIT_S: Final = 30
_PATIENCE_S: Final = 150.0
_CREATED: Final = 201
_CLIENT_ERRORS: Final = range(400, 500)
INTERNAL_ERROR: Final = 500
_NOT_ABOUT_THE_REQUEST: Final = frozenset({401, 403, 404, 408, 409, 429})
_NOT_ABOUT_THE_VALUE: Final = frozenset({"deadline", "pool-timeout", "cancelled", "verification"})


@dataclass(frozen=True, slots=True)
class Ending:
    """How one extraction ended: with rows, with a refusal, or in a way that says nothing about the request.

    `status` is that of the last answer, `slug` the error's, `job` the last body of GET /extractions/{id}.
    """

    status: int
    slug: str | None
    job: Mapping[str, Any] | None
    duration_s: float

    @property
    def is_completed(self) -> bool:
        """True when the job wrote its rows."""
        return self.job is not None and self.job.get("state") == "COMPLETED"

    @property
    def is_refused(self) -> bool:
        """True for a clean no: a typed error about the request, before or while it ran."""
        if self.job is not None:
            return self.job.get("state") == "FAILED" and self.slug in CLEAN_SLUGS
        return self.status in _CLIENT_ERRORS and self.status not in _NOT_ABOUT_THE_REQUEST and self.slug is not None

    @property
    def is_crash(self) -> bool:
        """True when the target answered, but as for a fault of its own."""
        if self.job is not None:
            return self.job.get("state") == "FAILED" and self.slug not in _KNOWN_SLUGS
        return self.status == INTERNAL_ERROR

    @property
    def is_verdict(self) -> bool:
        """True when the request itself was met; a database that is down, or a full pool, is no verdict."""
        return self.is_completed or self.is_refused or self.is_crash


def _slugs(error: type[JivsbenchError]) -> Iterator[str]:
    yield error.slug
    for kind in error.__subclasses__():
        yield from _slugs(kind)


CLEAN_SLUGS: Final = frozenset({*_slugs(UsageError), *_slugs(ExtractionError), "missing-object"}) - _NOT_ABOUT_THE_VALUE
"""Errors that say: this request cannot be carried out as written."""
_KNOWN_SLUGS: Final = frozenset(_slugs(JivsbenchError)) - {JivsbenchError.slug}


class Extractions:
    """The extraction endpoints of a target."""

    def __init__(self, target: TargetApi) -> None:
        self._target = target

    def create(self, body: Mapping[str, object]) -> Response:
        """Ask for an extraction, without starting it."""
        return self._target.call("POST", "/extractions", body)

    def run(self, body: Mapping[str, object]) -> Ending:
        """Create, start and wait for the end."""
        return self.run_all([body])[0]

    def run_all(self, bodies: Sequence[Mapping[str, object]]) -> list[Ending]:
        """The same for some at a time: all are started before the first is waited for. Each duration counts from the first."""
        started = time.monotonic()
        begun = [self._begin(body) for body in bodies]
        return [self._wait(path, answer, started) for path, answer in begun]

    def _begin(self, body: Mapping[str, object]) -> tuple[str | None, Response]:
        """Where the job is found, or None for none; and the last answer."""
        created = self.create(body)
        if created.status != _CREATED:
            return None, created
        path = f"/extractions/{_as_mapping(created.body).get('id')}"
        return path, self._target.call("POST", f"{path}/start")

    def _wait(self, path: str | None, answer: Response, started: float) -> Ending:
        job: Mapping[str, Any] = {}
        while path is not None and answer.status in (200, 202):
            answer = self._target.call("GET", f"{path}?wait_s={_WAIT_S}")
            job = _as_mapping(answer.body)
            if job.get("state") in ("COMPLETED", "FAILED", "CANCELLED"):
                return Ending(answer.status, _as_mapping(job.get("error")).get("slug"), job, time.monotonic() - started)
            if time.monotonic() - started > _PATIENCE_S:
                break
        return Ending(answer.status, read_slug(answer), None, time.monotonic() - started)


def read_slug(answer: Response) -> str | None:
    """The slug of a problem document; None for any other body."""
    slug = _as_mapping(answer.body).get("slug")
    return slug if isinstance(slug, str) else None


def _as_mapping(body: object) -> Mapping[str, Any]:
    return body if isinstance(body, Mapping) else {}
