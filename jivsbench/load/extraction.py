"""The workload `extraction`: create, start, wait for the end, ask for the statistics, compare the rows."""

from dataclasses import dataclass
from typing import Final

from jivsbench.api import Response, UserContext
from jivsbench.api.protocols import JobSpan
from jivsbench.model.job import JobState

JOB_LIMIT_S: Final = 60.0
_CREATED: Final = 201
_OK: Final = range(200, 300)
_NO_ANSWER: Final = "no-answer"
_UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class Window:
    """The rows one extraction asks for: keys from `first` up to, not including, `first + rows`; None: the whole table."""

    first: int | None
    rows: int


class ExtractionWorkload:
    """One iteration is one extraction of `rows` rows at a random place of the table."""

    name: Final = "extraction"
    operations: Final = ("create", "start", "wait", "statistics", "job")

    def iterate(self, user: UserContext) -> None:
        """One extraction, from its request to the comparison of its rows."""
        window = pick_window(user)
        with user.job() as job:
            created = user.call("create", "POST", "/extractions", build_request(user, window))
            job_id = _field(created, "id")
            if created.status != _CREATED or not isinstance(job_id, str):
                job.failed("REFUSED", _explain(created))
                return
            started = user.call("start", "POST", f"/extractions/{job_id}/start")
            if started.status not in _OK:
                job.failed(JobState.FAILED, _explain(started))
                return
            self._finish(user, job, job_id, window)

    def _finish(self, user: UserContext, job: JobSpan, job_id: str, window: Window) -> None:
        ended = user.wait_for_job(job_id, JOB_LIMIT_S)
        match _field(ended, "state"):
            case JobState.COMPLETED:
                statistics = user.call("statistics", "GET", f"/extractions/{job_id}/statistics")
                answers = (ended, statistics) if statistics.status in _OK else (ended,)
                read, written = (_reported(answers, name, window.rows) for name in ("rows_read", "rows_written"))
                job.completed(read, written, window.rows)
            case (JobState.FAILED | JobState.CANCELLED) as state:
                job.failed(str(state), _slug(_field(ended, "error")) or str(state).lower())
            case _ if ended.status in range(400, 500):
                job.failed(JobState.FAILED, _explain(ended))
            case _:
                job.failed("TIMEOUT", "deadline")


def pick_window(user: UserContext) -> Window:
    """A random window inside the table, whose keys run from 1; the whole table when it is not larger than the window."""
    rows = user.spec.rows
    if rows >= user.table_rows:
        return Window(None, user.table_rows)
    return Window(user.random.randint(1, user.table_rows - rows + 1), rows)


def build_request(user: UserContext, window: Window) -> dict[str, object]:
    """The body of POST /extractions."""
    spec = user.spec
    filters = []
    if window.first is not None:
        filters = [
            {"column": spec.key, "operator": ">=", "values": [window.first]},
            {"column": spec.key, "operator": "<", "values": [window.first + window.rows]},
        ]
    return {"source": user.source, "table": spec.table, "filters": filters}


def _reported(answers: tuple[Response, ...], name: str, expected: int) -> int:
    """What the target reported: the expected number only when every answer says so; 0 for an answer that says nothing."""
    found = [value if isinstance(value := _field(answer, name), int) else 0 for answer in answers]
    return next((value for value in found if value != expected), expected)


def _explain(response: Response) -> str:
    """The slug of a problem, else the status."""
    if not response.status:
        return _NO_ANSWER
    slug = _slug(response.body)
    return slug or (_UNREADABLE if response.status in _OK else str(response.status))


def _slug(body: object) -> str | None:
    slug = body.get("slug") if isinstance(body, dict) else None
    return slug if isinstance(slug, str) else None


def _field(response: Response, name: str) -> object:
    return response.body.get(name) if response.status in _OK and isinstance(response.body, dict) else None
