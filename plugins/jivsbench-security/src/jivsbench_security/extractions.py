"""Runs extractions through the target's public API, and reads how they ended."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jivsbench.api import Response, TargetApi
from jivsbench.errors import ExtractionError, InvalidRunError, JivsbenchError, UsageError

IN_FLIGHT: Final = 8
"""So many jobs at a time: no queue fills up, and nobody's turn takes long enough to look like a delay."""
ENDS: Final = ("COMPLETED", "FAILED", "CANCELLED")
"""The states of jobs that run no more."""
_WAIT_S: Final = 30
_MOST_SILENCES: Final = 3
"""Each takes as long as a client waits, and a check sends hundreds."""
_PATIENCE_S: Final = 150.0
_CREATED: Final = 201
_CLIENT_ERRORS: Final = range(400, 500)
INTERNAL_ERROR: Final = 500
_TOO_MANY: Final = 429
_NOT_ABOUT_THE_REQUEST: Final = frozenset({401, 403, 404, 408, 409, 429})
_NOT_ABOUT_THE_REQUEST_SLUGS: Final = frozenset(
    {
        *("deadline", "pool-timeout", "cancelled", "verification", "resume"),
        *("queue-full", "shutting-down", "service-restarted", "unknown-job", "job-state"),
    }
)
"""What may happen to any job, whatever it asks for."""


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
        return is_refusal(self.status, self.slug)

    @property
    def was_kept_out(self) -> bool:
        """True when others took the room that it needed."""
        return self.status == _TOO_MANY or self.slug in ("pool-timeout", "queue-full")

    @property
    def is_typed(self) -> bool:
        """True for a failure with an error that has a name of its own."""
        return self.slug in _KNOWN_SLUGS

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


CLEAN_SLUGS: Final = frozenset({*_slugs(UsageError), *_slugs(ExtractionError), "missing-object"}) - _NOT_ABOUT_THE_REQUEST_SLUGS
"""Errors that say: this request cannot be carried out as written."""
_KNOWN_SLUGS: Final = frozenset(_slugs(JivsbenchError)) - {JivsbenchError.slug}


def is_refusal(status: int, slug: str | None) -> bool:
    """True for an answer that says: this request is not carried out as it is written."""
    return (
        status in _CLIENT_ERRORS
        and status not in _NOT_ABOUT_THE_REQUEST
        and slug is not None
        and slug not in _NOT_ABOUT_THE_REQUEST_SLUGS
    )


def _read_ending(status: int, job: Mapping[str, Any], duration_s: float) -> Ending:
    return Ending(status, _as_mapping(job.get("error")).get("slug"), job, duration_s)


class Extractions:
    """The extraction endpoints of a target. Jobs that were started together are waited for `patience_s` in all, then stopped."""

    def __init__(self, target: TargetApi, patience_s: float = _PATIENCE_S) -> None:
        self._target = target
        self._patience_s = patience_s
        self._silences = 0

    def create(self, body: Mapping[str, object]) -> Response:
        """Ask for an extraction, without starting it. Raises InvalidRunError when a few requests on end get no answer at all."""
        answer = self._target.call("POST", "/extractions", body)
        self._silences = 0 if answer.status else self._silences + 1
        if self._silences >= _MOST_SILENCES:
            raise InvalidRunError(f"the target gave no answer to {self._silences} requests on end: it hangs, or has ended")
        return answer

    def run(self, body: Mapping[str, object]) -> Ending:
        """Create, start and wait for the end."""
        return self.run_all([body])[0]

    def run_all(self, bodies: Sequence[Mapping[str, object]]) -> list[Ending]:
        """The same for some at a time: all are started before the first is waited for. Each duration counts from the first."""
        started = time.monotonic()
        begun = [self._begin(body) for body in bodies]
        return [self._wait(path, answer, started) for path, answer in begun]

    def run_until_met(self, bodies: Sequence[Mapping[str, object]]) -> list[Ending]:
        """As `run_all`; whoever was kept from its turn by the others gets another one, alone.

        Raises InvalidRunError when nobody got an answer about its request: the target hangs, and would for each of the next.
        """
        endings = [
            self.run(body) if ending.was_kept_out else ending for body, ending in zip(bodies, self.run_all(bodies), strict=True)
        ]
        if not any(ending.is_verdict for ending in endings):
            found = ", ".join(sorted({ending.slug or str(ending.status) for ending in endings}))
            raise InvalidRunError(
                f"of {len(bodies)} jobs at a time not one got an answer about its request: they ended with {found}"
            )
        return endings

    def _begin(self, body: Mapping[str, object]) -> tuple[str | None, Response]:
        """Where the job is found, or None for none; and the last answer."""
        created = self.create(body)
        if created.status != _CREATED:
            return None, created
        job_id = str(_as_mapping(created.body).get("id"))
        return f"/extractions/{job_id}", self.start(job_id)

    def run_prepared(self, job_id: str) -> Ending:
        """Start a job and wait for the end."""
        return self._wait(f"/extractions/{job_id}", self.start(job_id), time.monotonic())

    def prepare(self, body: Mapping[str, object]) -> str:
        """Create an extraction that asks for nothing forbidden. Its id. Raises InvalidRunError when it was not created."""
        created = self.create(body)
        if created.status != _CREATED:
            raise InvalidRunError(f"an extraction was to be created, and the target answered {created.status}")
        return str(_as_mapping(created.body).get("id"))

    def start(self, job_id: str) -> Response:
        """Let a job run, without waiting for it."""
        return self._target.call("POST", f"/extractions/{job_id}/start")

    def stop(self, job_id: str) -> Response:
        """End a job."""
        return self._target.call("POST", f"/extractions/{job_id}/stop")

    def look(self, job_id: str) -> Ending | None:
        """How a job ended; None while it has not. The duration is left out."""
        answer = self._target.call("GET", f"/extractions/{job_id}")
        job = _as_mapping(answer.body)
        return _read_ending(answer.status, job, 0.0) if job.get("state") in ENDS else None

    def look_at_all(self) -> dict[str, Ending | None]:
        """The newest 200 jobs by id, as `look` tells of one."""
        answer = self._target.call("GET", "/extractions?size=200")
        jobs = [_as_mapping(job) for job in _as_mapping(answer.body).get("items", ())]
        return {str(job["id"]): _read_ending(answer.status, job, 0.0) if job["state"] in ENDS else None for job in jobs}

    def _wait(self, path: str | None, answer: Response, started: float) -> Ending:
        while path is not None and answer.status in (200, 202):
            left_s = self._patience_s - (time.monotonic() - started)
            # Others of its group may have used up the time: then it is looked at, and not waited for.
            answer = self._target.call("GET", f"{path}?wait_s={max(0, min(_WAIT_S, math.ceil(left_s)))}")
            job = _as_mapping(answer.body)
            if job.get("state") in ENDS:
                return _read_ending(answer.status, job, time.monotonic() - started)
            if left_s <= 0:
                # Nobody waits for it any more, and it would hold a worker and a connection.
                self._target.call("POST", f"{path}/stop")
                break
        return Ending(answer.status, read_slug(answer), None, time.monotonic() - started)


def read_slug(answer: Response) -> str | None:
    """The slug of a problem document; None for any other body."""
    slug = _as_mapping(answer.body).get("slug")
    return slug if isinstance(slug, str) else None


def _as_mapping(body: object) -> Mapping[str, Any]:
    return body if isinstance(body, Mapping) else {}
