"""Runs jobs: a bounded queue, a fixed number of worker threads, every ending written to the store.

One failed job never stops a worker: whatever an extraction raises becomes a FAILED job. A job is COMPLETED only when
the rows of the source, those read, and those written or left out by a transform are the same number, which is looked at
here once more.
"""

import logging
import os
import threading
import time
from pathlib import Path
from typing import Final, Protocol

from jivsbench.errors import (
    CancelledJobError,
    DestinationError,
    GuardRefusedError,
    JivsbenchError,
    JobStateError,
    UnknownJobError,
    UnknownNameError,
    VerificationError,
)
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.jobs.directory import OpenedSource, SourceDirectory
from jivsbench.extract.jobs.failures import describe_failure, explain_failure
from jivsbench.extract.jobs.known_jobs import KnownJobs
from jivsbench.extract.jobs.status import BulkStatus, DirectStatus, JobStatus
from jivsbench.extract.jobs.store import JobStore
from jivsbench.extract.jobs.values import ClaimedJob, JobFailure, JobOutcome, JobRecord, JobStatistics, build_statistics
from jivsbench.extract.jobs.waiters import Waiters
from jivsbench.extract.jobs.work_queue import WorkQueue
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.job import ExtractionResult, JobState
from jivsbench.model.profile import Profile, fit_to_machine
from jivsbench.model.secret import Secret
from jivsbench.model.table import ExtractionRequest

_LOG = logging.getLogger(__name__)
_STOP_TRIES: Final = 40
_STOP_PAUSE_S: Final = 0.025
_CANCEL_GRACE_S: Final = 1.0
_STORE_GRACE_S: Final = 0.5


class JobObserver(Protocol):
    """Is told what jobs do. Called by workers: must be quick and must not raise."""

    def entered(self, state: JobState) -> None:
        """A job has come into that state."""
        ...

    def extracted(self, result: ExtractionResult) -> None:
        """A job has completed with that result."""
        ...

    def refused(self, job_id: str, source: str, failure: JobFailure) -> None:
        """A job has ended because a guard, or the list of destinations, does not allow it any more."""
        ...


class JobRunner:
    """Jobs of one service, from their creation to their end."""

    def __init__(
        self,
        *,
        store: JobStore,
        cache: MetadataCache,
        extractor: Extractor,
        sources: SourceDirectory,
        profile: Profile,
        output_dir: Path,
        observer: JobObserver,
    ) -> None:
        self._store = store
        self._status: JobStatus = BulkStatus(store) if profile.switches.bulk_status else DirectStatus(store)
        self._known = KnownJobs() if profile.switches.cache else None
        self._cache = cache
        self._extractor = extractor
        self._sources = sources
        self._output_dir = output_dir
        self._observer = observer
        self._queue = WorkQueue(profile.queue_limit)
        self.waiters = Waiters()
        workers = fit_to_machine(profile, os.cpu_count() or 1).job_workers
        self._workers = [
            threading.Thread(target=self._work, name=f"job-worker-{number}", daemon=True) for number in range(workers)
        ]

    @property
    def is_open(self) -> bool:
        """True while jobs are taken."""
        return self._queue.is_open

    @property
    def waiting(self) -> int:
        """Jobs that wait for a worker."""
        return len(self._queue)

    def start(self) -> None:
        """Fail what an earlier process of this service left running, then start the workers."""
        interrupted = self._store.fail_interrupted()
        if interrupted:
            _LOG.warning("jobs that an earlier process left running are failed now", extra={"jobs": interrupted})
        self._status.start()
        for worker in self._workers:
            worker.start()

    def create(self, request: ExtractionRequest) -> JobRecord:
        """A new job, PENDING. Raises UnknownNameError for its source, GuardRefusedError."""
        opened = self._sources.open(request.source)
        self._extractor.review(opened.source, request)
        created = self._store.create(opened.record, request)
        self._status.created(created)
        self._remember(created.record)
        self._observer.entered(JobState.PENDING)
        return created.record

    def holds(self, job_id: str) -> bool:
        """True while a job waits for a worker or runs here: whoever waits for it will be called."""
        return self._queue.holds(job_id)

    def find(self, job_id: str) -> JobRecord:
        """One job, as this process knows it or through the cache. Raises UnknownJobError."""
        job = self._known.find(job_id) if self._known else None
        job = job or self._cache.job(job_id, lambda: self._store.find(job_id), is_current=self._still_runs)
        if job is None:
            raise UnknownJobError("no extraction has that id: ask for the list of extractions")
        return job

    def find_statistics(self, job_id: str) -> JobStatistics | None:
        """What a job did, as this process knows it or through the cache; None unless it has completed."""
        known = self._known.find_statistics(job_id) if self._known else None
        return known or self._cache.statistics(job_id, lambda: self._store.find_statistics(job_id))

    def submit(self, job_id: str) -> JobRecord:
        """Let a job run as soon as a worker is free. Returns at once.

        Raises UnknownJobError, JobStateError unless it is PENDING and new here, QueueFullError and ShuttingDownError.
        """
        job = self.find(job_id)
        if job.state is not JobState.PENDING:
            raise JobStateError(f"the job is {job.state.value}, and only a PENDING one can be started: create a new one")
        if not self._is_known(job_id) and not self._store.owns(job_id):
            raise JobStateError("the job was created by another service: start it there")
        self._queue.submit(job_id)
        return job

    def stop(self, job_id: str) -> JobRecord:
        """Stop a job: one that waits is CANCELLED at once, one that runs as soon as its query has ended.

        Raises UnknownJobError, and JobStateError for one that has ended or runs in another service.
        """
        if self._cancel_pending(job_id, "the job was stopped before it ran"):
            return self.find(job_id)
        self._stop_running(job_id)
        return self.find(job_id)

    def refuse_more(self) -> None:
        """Take no more jobs, and let nobody wait any longer. Returns at once."""
        self._queue.refuse_more()
        self.waiters.close()

    def close(self, drain_s: float) -> bool:
        """Let held jobs end for `drain_s`, then cancel them. True when every worker has gone home and every end is stored."""
        waiting, running = self._queue.close(drain_s)
        for job_id in waiting:
            self._cancel_pending(job_id, "the service ended before the job ran")
        self._press_stop(*running)
        self._queue.send_workers_home(len(self._workers))
        give_up_at_s = time.monotonic() + _CANCEL_GRACE_S
        for worker in self._workers:
            if worker.is_alive():
                worker.join(max(give_up_at_s - time.monotonic(), 0.0))
        is_stored = self._status.close(_STORE_GRACE_S)
        self.waiters.close()
        return is_stored and not any(worker.is_alive() for worker in self._workers)

    def _still_runs(self, job: JobRecord) -> bool:
        return job.state is JobState.RUNNING and self._queue.is_running(job.id)

    def _cancel_pending(self, job_id: str, reason: str) -> bool:
        if not self._status.cancel_pending(job_id, describe_failure(CancelledJobError(reason))):
            return False
        self._forget(job_id)
        self._observer.entered(JobState.CANCELLED)
        self.waiters.wake(job_id)
        return True

    def _stop_running(self, job_id: str) -> None:
        if self._queue.ask_to_stop(job_id):
            self._press_stop(job_id)
            return
        job = self.find(job_id)
        if not job.state.is_final:
            raise JobStateError("the job does not run in this service: stop it where it was started")
        raise JobStateError(f"the job is {job.state.value} already: there is nothing to stop")

    def _press_stop(self, *job_ids: str) -> None:
        """A worker that has just claimed a job is not inside the extractor yet, so one call may come too early.

        However many jobs there are, they share the time that is spent on calling again.
        """
        for job_id in job_ids:
            self._queue.ask_to_stop(job_id)
        left = job_ids
        for _ in range(_STOP_TRIES):
            left = tuple(job_id for job_id in left if not self._extractor.cancel(job_id) and self._queue.is_running(job_id))
            if not left:
                return
            time.sleep(_STOP_PAUSE_S)

    def _work(self) -> None:
        while (job_id := self._queue.take()) is not None:
            try:
                self._run(job_id)
            except Exception:  # noqa: BLE001 - a worker must outlive whatever one job does
                # The store itself failed. The job is found RUNNING at the next start; the worker goes on.
                _LOG.exception("a job could not be brought to its end", extra={"job": job_id})
                self._let_go(job_id)

    def _run(self, job_id: str) -> None:
        job = self._status.claim(job_id)
        if job is None:
            self._let_go(job_id)
            return
        self._remember(JobRecord(job.id, job.request.source, JobState.RUNNING, job.created_at, job.started_at))
        self._observer.entered(JobState.RUNNING)
        outcome = self._extract(job)
        self._status.finish(job, outcome, lambda record: self._end(job_id, record, outcome))

    def _end(self, job_id: str, record: JobRecord | None, outcome: JobOutcome) -> None:
        """The store holds the end of a job: the process may know it, and whoever waits is told."""
        try:
            if record is None:
                _LOG.error("a running job was ended by somebody else", extra={"job": job_id})
                self._forget(job_id)
                return
            if record.state is JobState.COMPLETED and outcome.result is not None:
                self._remember(record, build_statistics(outcome.result))
                self._observer.extracted(outcome.result)
            else:
                self._remember(record)
                # What was known of the tables may be why it failed.
                self._cache.forget_schemas(record.source)
            self._observer.entered(record.state)
        finally:
            self._let_go(job_id)

    def _let_go(self, job_id: str) -> None:
        self._queue.done(job_id)
        self.waiters.wake(job_id)

    def _is_known(self, job_id: str) -> bool:
        return self._known is not None and self._known.find(job_id) is not None

    def _remember(self, record: JobRecord, statistics: JobStatistics | None = None) -> None:
        if self._known is not None:
            self._known.remember(record, statistics)

    def _forget(self, job_id: str) -> None:
        if self._known is not None:
            self._known.forget(job_id)
        self._cache.forget_job(job_id)

    def _extract(self, job: ClaimedJob) -> JobOutcome:
        opened: OpenedSource | None = None
        try:
            opened = self._open_source(job)
            result = self._extractor.extract(job.id, opened.source, job.request)
            _check_rows(result)
        except Exception as error:  # noqa: BLE001 - connectors and guards are plugins; every error is a FAILED job
            return self._explain(job, error, opened.source.url if opened else None)
        finally:
            if opened is not None and not self._sources.is_current(opened):
                # It may have borrowed just after the change had closed the pool, and so opened it anew.
                self._extractor.forget_outdated(opened.source)
        return JobOutcome(JobState.COMPLETED, result=result)

    def _open_source(self, job: ClaimedJob) -> OpenedSource:
        opened = self._sources.open(job.request.source)
        if opened.record.id != job.source_id:
            raise UnknownNameError("the job's data source was removed after the job was created: create a new job")
        if self._queue.is_stopped(job.id):
            raise CancelledJobError("the job was stopped before its query began")
        return opened

    def _explain(self, job: ClaimedJob, error: Exception, secret: Secret | None) -> JobOutcome:
        failure = describe_failure(error, secret, self._output_dir)
        state = JobState.CANCELLED if isinstance(error, CancelledJobError) else JobState.FAILED
        if isinstance(error, GuardRefusedError | DestinationError):
            self._observer.refused(job.id, job.request.source, failure)
        facts = {"job": job.id, "source": job.request.source, "slug": failure.slug}
        facts |= {"reason": explain_failure(error, secret).message}
        # Of an error that is not ours the log gets the place as well; its text, which can hold a value, nobody gets.
        _LOG.warning("an extraction ended without a result", extra=facts, exc_info=not isinstance(error, JivsbenchError))
        return JobOutcome(state, failure=failure)


def _check_rows(result: ExtractionResult) -> None:
    in_files = sum(file.row_count for file in result.files)
    in_source = result.rows_read if result.rows_in_source is None else result.rows_in_source
    kept = result.rows_read - result.rows_filtered
    if in_source == result.rows_read and kept == result.rows_written == in_files:
        return
    raise VerificationError(
        f"the source has {in_source} rows, {result.rows_read} were read, {result.rows_filtered} filtered, "
        f"{result.rows_written} written and {in_files} counted in the files: the output cannot be trusted, start a new job"
    )
