"""The workload `extraction`: create, start, wait for the end, ask for the statistics, compare the rows."""

from dataclasses import dataclass
from typing import Final

from jivsbench.api import JobSpan, Response, UserContext
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """One extraction: the body of its request, and how many rows it must give; None when nobody knows."""

    body: dict[str, object]
    rows: int | None


class ExtractionWorkload:
    """One iteration is one extraction of `rows` rows at a random place of the table, or of what the feed's next row says."""

    name: Final = "extraction"
    operations: Final = ("create", "start", "wait", "statistics", "job")

    def iterate(self, user: UserContext) -> None:
        """One extraction, from its request to the comparison of its rows."""
        run_extraction(user, choose_wanted(user))


def run_extraction(user: UserContext, wanted: Wanted, *, asks_status: bool = False) -> None:
    """Create, start, wait for the end, ask for the statistics, compare the rows.

    With `asks_status` the job is looked at once before it is waited for: how fast the server tells a state, which a long poll
    does not show.
    """
    with user.job() as job:
        created = user.call("create", "POST", "/extractions", wanted.body)
        job_id = read_field(created, "id")
        if created.status != _CREATED or not isinstance(job_id, str):
            job.failed("REFUSED", _explain(created))
            return
        started = user.call("start", "POST", f"/extractions/{job_id}/start")
        if started.status not in _OK:
            job.failed(JobState.FAILED, _explain(started))
            return
        if asks_status:
            user.call("status", "GET", f"/extractions/{job_id}")
        _finish(user, job, job_id, wanted.rows)


def _finish(user: UserContext, job: JobSpan, job_id: str, rows: int | None) -> None:
    ended = user.wait_for_job(job_id, JOB_LIMIT_S)
    match read_field(ended, "state"):
        case JobState.COMPLETED:
            statistics = user.call("statistics", "GET", f"/extractions/{job_id}/statistics")
            answers = (ended, statistics) if statistics.status in _OK else (ended,)
            if rows is None:
                found = read_field(ended, "rows_read")
                rows = found if isinstance(found, int) else -1
            read, written = (_reported(answers, name, rows) for name in ("rows_read", "rows_written"))
            job.completed(read, written, rows)
        case (JobState.FAILED | JobState.CANCELLED) as state:
            job.failed(str(state), _slug(read_field(ended, "error")) or str(state).lower())
        case _ if ended.status in range(400, 500):
            job.failed(JobState.FAILED, _explain(ended))
        case _:
            job.failed("TIMEOUT", "deadline")


def choose_wanted(user: UserContext) -> Wanted:
    """What the feed's next row says; where it says nothing, and without a feed, a random window."""
    row = user.next_feed_row()
    if row is None:
        window = pick_window(user)
    elif row.filters:
        filters = [{"column": one.column, "operator": one.operator.value, "values": list(one.values)} for one in row.filters]
        return Wanted({"source": user.source, "table": user.spec.table, "filters": filters}, row.expected_rows)
    else:
        rows = user.spec.rows if row.rows is None else row.rows
        left = 0 if row.first is None else max(user.table_rows + 1 - row.first, 0)
        window = pick_window(user, rows) if row.first is None else Window(row.first, min(rows, left))
    return Wanted(build_request(user, window), window.rows)


def pick_window(user: UserContext, rows: int | None = None) -> Window:
    """A random window inside the table, whose keys run from 1; the whole table when it is not larger than the window."""
    rows = user.spec.rows if rows is None else rows
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
    found = [value if isinstance(value := read_field(answer, name), int) else 0 for answer in answers]
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


def read_field(response: Response, name: str) -> object:
    """A field of an answer; None when the call failed, or the answer has no such field."""
    return response.body.get(name) if response.status in _OK and isinstance(response.body, dict) else None
