"""What a workload sees of its user: calls that are timed by the three clocks, long polls, and the span of a job."""

import logging
import random
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Self

import gevent
from locust.event import EventHook

from jivsbench.api import Response
from jivsbench.load.blocks import OpenBlock
from jivsbench.load.feeding import FeedReader
from jivsbench.load.recorder import Failure, Recorder, Sample
from jivsbench.load.spec import LoadSpec
from jivsbench.load.totals import JobEnd
from jivsbench.load.worker.client import TargetClient, format_code
from jivsbench.model.feed import FeedRow
from jivsbench.model.job import JobState
from jivsbench.model.sample import ErrorClass, OperationKind
from jivsbench.model.scenario import OfferedSource, WorkloadSpec

_POLL_S: Final = 10.0
_RETRY_S: Final = 0.1
_NS_PER_S: Final = 1_000_000_000
_RETRY_NS: Final = round(_RETRY_S * _NS_PER_S)
_NS_PER_MS: Final = 1e6
_FINAL_STATES: Final = tuple(state for state in JobState if state.is_final)
_CLIENT_ERRORS: Final = range(400, 500)
_ENDS: Final = {
    JobState.FAILED: (JobEnd.FAILED, ErrorClass.JOB_FAILED),
    JobState.CANCELLED: (JobEnd.CANCELLED, ErrorClass.JOB_CANCELLED),
    "TIMEOUT": (JobEnd.TIMED_OUT, ErrorClass.TIMEOUT),
    "REFUSED": (JobEnd.REFUSED, ErrorClass.REFUSED),
}

_log = logging.getLogger(__name__)


class AbandonedError(BaseException):
    """Thrown into a user that is still busy long after its block ended. No workload's `except Exception` may catch it."""


class Context:
    """One user in one block. Each step is intended to start when the one before it ended."""

    def __init__(
        self,
        *,
        spec: LoadSpec,
        source: random.Random,
        feed: FeedReader,
        recorder: Recorder,
        on_request: EventHook | None,
        client: TargetClient,
        block: OpenBlock,
        due_ns: int,
        ready_ns: int = 0,
    ) -> None:
        self._spec = spec
        self._random = source
        self._feed = feed
        self._recorder = recorder
        self._on_request = on_request
        self._client = client
        self.block = block
        self.due_ns = due_ns
        """When the next step is meant to begin."""
        self.ready_ns = ready_ns
        """When the next step could be sent, if that was later: an open loop may lack a place, a long poll has its pause."""
        self.seen_ns: int | None = None
        """When the end of the current job was seen."""
        self.has_called = False
        self.had_no_answer = False
        self.has_failed = False

    @property
    def random(self) -> random.Random:
        """This user's own seeded random source."""
        return self._random

    @property
    def spec(self) -> WorkloadSpec:
        """The scenario's workload settings."""
        return self._spec.workload

    @property
    def source(self) -> str:
        """Name of the data source to extract from."""
        return self._spec.source

    @property
    def table_rows(self) -> int:
        """Rows of the table when the run was planned."""
        return self._spec.table_rows

    @property
    def sources(self) -> tuple[OfferedSource, ...]:
        """Data sources that were made for the scenario's mix."""
        return self._spec.sources

    def next_feed_row(self) -> FeedRow | None:
        """This user's next row of the feed."""
        return self._feed.take()

    def call(self, operation: str, method: str, path: str, body: object = None) -> Response:
        """One timed request."""
        return self._send(operation, OperationKind.CALL, method, path, body)

    def wait_for_job(self, job_id: str, timeout_s: float) -> Response:
        """Long-poll until the job ends, the target no longer knows it, or the time is up; the last answer either way."""
        limit_ns = time.monotonic_ns() + round(timeout_s * _NS_PER_S)
        while True:
            left_s = (limit_ns - time.monotonic_ns()) / _NS_PER_S
            path = f"/extractions/{job_id}?wait_s={max(min(left_s, _POLL_S), 0.0):g}"
            response = self._send("wait", OperationKind.WAIT, "GET", path)
            state = response.body.get("state") if isinstance(response.body, dict) else None
            if state in _FINAL_STATES:
                self.seen_ns = self.due_ns
                return response
            if response.status in _CLIENT_ERRORS or time.monotonic_ns() >= limit_ns:
                return response
            if state is None:
                # No answer, or a strange one: asking again at once would only add to the trouble.
                # To wait for that is not lag; whoever waits for the job waits so much longer.
                self.ready_ns = self.due_ns + _RETRY_NS
                gevent.sleep(_RETRY_S)

    def job(self) -> AbstractContextManager["Span"]:
        """Time one whole job."""
        return Span(self, self._recorder)

    def _send(self, operation: str, kind: OperationKind, method: str, path: str, body: object = None) -> Response:
        started_ns = time.monotonic_ns()
        try:
            response, size_bytes, failure = self._client.send(method, path, body)
        except AbandonedError:
            failure = Failure(ErrorClass.TIMEOUT, "drain")
            self._record(Sample(operation, kind, self.due_ns, started_ns, time.monotonic_ns(), 0, failure, self.ready_ns))
            raise
        ended_ns = time.monotonic_ns()
        self._record(Sample(operation, kind, self.due_ns, started_ns, ended_ns, 0, failure, self.ready_ns))
        self.has_called = True
        self.had_no_answer = self.had_no_answer or not response.status
        if self._on_request is not None:
            self._on_request.fire(  # type: ignore[no-untyped-call]
                request_type=method,
                name=operation,
                response_time=(ended_ns - started_ns) / _NS_PER_MS,
                response_length=size_bytes,
                exception=None if failure is None else f"{failure.error} {failure.code}",
                context={},
            )
        return response

    def record(self, sample: Sample) -> None:
        """Give a sample to the recorder, and remember whether anything failed."""
        self._recorder.record(self.block, sample)
        self.has_failed = self.has_failed or sample.failure is not None

    def _record(self, sample: Sample) -> None:
        self.record(sample)
        self.due_ns = sample.ended_ns


class Span:
    """The clock of one whole job: from the intended start of its first step until its end was seen.

    When the user has waited for the job, its end was seen by the last answer to that; what the workload asks afterwards
    to check the result is not part of the job.
    """

    def __init__(self, context: Context, recorder: Recorder) -> None:
        self._context = context
        self._open_jobs = recorder.open_jobs
        self._counts = recorder.jobs(context.block.plan.arm)
        self._intended_ns, self._ready_ns = context.due_ns, context.ready_ns
        self._started_ns = time.monotonic_ns()
        self._is_open = False

    def __enter__(self) -> Self:
        self._is_open = True
        self._context.seen_ns = None
        self._open_jobs.add(self)
        self._counts.begun += 1
        return self

    @property
    def seen_ns(self) -> int | None:
        """When the user's wait for it saw its end."""
        return self._context.seen_ns

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if isinstance(error, AbandonedError):
            self.failed("TIMEOUT", "drain")
        elif isinstance(error, Exception):
            _log.error("the workload raised within a job", exc_info=error)
            self.failed(JobState.FAILED, type(error).__name__)
            return True
        elif error is None:
            self.failed(JobState.FAILED, "unfinished")
        else:
            self._open_jobs.discard(self)
        return False

    def completed(self, rows_read: int, rows_written: int, rows_expected: int) -> None:
        """The job ended COMPLETED; rows that differ make it an error of class wrong_rows."""
        is_right = rows_read == rows_written == rows_expected
        failure = None if is_right else Failure(ErrorClass.WRONG_ROWS, "fewer" if rows_written < rows_expected else "other")
        self._end(JobEnd.COMPLETED, failure, rows_read, rows_written)

    def failed(self, state: str, code: str) -> None:
        """The job ended FAILED or CANCELLED, never ended ("TIMEOUT") or was not created ("REFUSED")."""
        end, error = _ENDS.get(state, (JobEnd.FAILED, ErrorClass.JOB_FAILED))
        self._end(end, Failure(error, format_code(code)))

    def _end(self, end: JobEnd, failure: Failure | None, rows_read: int = 0, rows_written: int = 0) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._counts.end(end, rows_read, rows_written)
        rows = 0 if failure else rows_written
        ended_ns = self._context.seen_ns or time.monotonic_ns()
        self._open_jobs.discard(self)
        self._context.record(
            Sample("job", OperationKind.JOB, self._intended_ns, self._started_ns, ended_ns, rows, failure, self._ready_ns)
        )
