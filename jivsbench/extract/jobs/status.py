"""How the states of jobs reach the store: each change in a transaction of its own, or many changes in one.

Whoever waits for a job is told only after the store holds its end: a crash in between leaves a job that did not end, never
an end that was not stored.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from jivsbench.extract.jobs.failures import describe_failure
from jivsbench.extract.jobs.instants import read_clock_us, to_datetime
from jivsbench.extract.jobs.store import JobStore
from jivsbench.extract.jobs.values import ClaimedJob, CreatedJob, JobFailure, JobOutcome, JobRecord
from jivsbench.model.job import JobState

_LOG = logging.getLogger(__name__)
_RUNNING_DELAY_S: Final = 0.05
"""So late may the store say RUNNING. Most jobs have ended by then, and their end is all that is written."""
_LIMIT: Final = 5_000

Told = Callable[[JobRecord | None], None]
"""Called once with the record that was stored; None when the job was ended by somebody else."""


class JobStatus(Protocol):
    """Changes of jobs, for many threads. Each job is claimed once and finished once."""

    def start(self) -> None:
        """Begin to store; called once, before the first claim."""
        ...

    def created(self, job: CreatedJob) -> None:
        """A job was stored as PENDING."""
        ...

    def claim(self, job_id: str) -> ClaimedJob | None:
        """PENDING -> RUNNING; None when the job is not PENDING, so that exactly one caller gets it."""
        ...

    def cancel_pending(self, job_id: str, failure: JobFailure) -> bool:
        """PENDING -> CANCELLED, stored when this returns; False when the job is not PENDING."""
        ...

    def finish(self, job: ClaimedJob, outcome: JobOutcome, told: Told) -> None:
        """RUNNING -> the outcome's state. `told` is called, by some thread, when the store holds it."""
        ...

    def close(self, grace_s: float) -> bool:
        """Store what is not stored yet. Nothing is claimed or finished any more. False when that takes longer than `grace_s`."""
        ...


class DirectStatus:
    """Without the switch `bulk_status`: three committed changes a job, each waited for."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.claim = store.claim
        self.cancel_pending = store.cancel_pending

    def start(self) -> None:
        """Nothing runs here."""

    def created(self, job: CreatedJob) -> None:
        """Nothing to keep: the store has it."""

    def finish(self, job: ClaimedJob, outcome: JobOutcome, told: Told) -> None:
        """In the caller's thread."""
        told(finish_alone(self._store, job, outcome))

    def close(self, grace_s: float) -> bool:  # noqa: ARG002 - the protocol's
        """Nothing is left to store, but what a worker waits for."""
        return True


@dataclass(frozen=True, slots=True)
class _Ending:
    job: ClaimedJob
    outcome: JobOutcome
    told: Told


class BulkStatus:
    """With the switch `bulk_status`: a job is claimed in memory, and one thread stores what all workers have ended meanwhile.

    That is sound because a job belongs to the service that created it, and one process runs a service.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._pending: OrderedDict[str, CreatedJob] = OrderedDict()
        self._running: dict[str, ClaimedJob] = {}
        """Claimed, and on nobody's way to the store yet."""
        self._claimed: set[str] = set()
        """Claimed, until the store holds the end."""
        self._ended: list[_Ending] = []
        self._is_waiting_for_work = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._keep_storing, name="job-status", daemon=True)

    def start(self) -> None:
        """Start the thread that stores."""
        self._thread.start()

    def created(self, job: CreatedJob) -> None:
        """Keep what a claim will need. The oldest that nobody starts fall out, and are claimed in the store."""
        with self._changed:
            self._pending[job.record.id] = job
            if len(self._pending) > _LIMIT:
                self._pending.popitem(last=False)

    def claim(self, job_id: str) -> ClaimedJob | None:
        """In memory; a job that an earlier process of this service created is claimed in the store."""
        with self._changed:
            if job_id in self._claimed:
                # The store may still say PENDING.
                return None
            found = self._pending.pop(job_id, None)
            if found is not None:
                record = found.record
                claimed = ClaimedJob(job_id, found.source_id, found.request, record.created_at, to_datetime(read_clock_us()))
                self._running[job_id] = claimed
                self._claimed.add(job_id)
                if self._is_waiting_for_work:
                    self._changed.notify_all()
                return claimed
        return self._store.claim(job_id)

    def cancel_pending(self, job_id: str, failure: JobFailure) -> bool:
        """Out of memory first, so that no worker claims it meanwhile."""
        with self._changed:
            self._pending.pop(job_id, None)
            if job_id in self._claimed:
                return False
        return self._store.cancel_pending(job_id, failure)

    def finish(self, job: ClaimedJob, outcome: JobOutcome, told: Told) -> None:
        """Hand the end over. Returns at once."""
        with self._changed:
            self._running.pop(job.id, None)
            self._ended.append(_Ending(job, outcome, told))
            self._changed.notify_all()

    def close(self, grace_s: float) -> bool:
        """Store the rest; the thread has ended when this is True. A store that does not answer holds nobody up."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(grace_s)
        return not self._thread.is_alive()

    def _keep_storing(self) -> None:
        while True:
            with self._changed:
                self._wait_for_work()
                running, self._running = tuple(self._running.values()), {}
                ended, self._ended = self._ended, []
                if not running and not ended:
                    return
            self._store_all(running, ended)

    def _wait_for_work(self) -> None:
        """Until a job has ended, or one has been running for long enough to be told, or there will be no more work."""
        self._is_waiting_for_work = True
        self._changed.wait_for(lambda: self._ended or self._running or self._is_closed)
        self._is_waiting_for_work = False
        self._changed.wait_for(lambda: self._ended or self._is_closed, _RUNNING_DELAY_S)

    def _store_all(self, running: tuple[ClaimedJob, ...], ended: list[_Ending]) -> None:
        records: list[JobRecord | None]
        try:
            records = list(self._store.store_changes(running, [(ending.job, ending.outcome) for ending in ended]))
        except Exception:  # noqa: BLE001 - one change that cannot be stored must not take the others with it
            _LOG.warning("changes of jobs could not be stored together, so each is stored alone", exc_info=True)
            records = [self._finish_alone(ending) for ending in ended]
        with self._changed:
            self._claimed.difference_update(ending.job.id for ending in ended)
        for ending, record in zip(ended, records, strict=True):
            self._tell(ending, record)

    def _tell(self, ending: _Ending, record: JobRecord | None) -> None:
        try:
            ending.told(record)
        except Exception:  # noqa: BLE001 - this thread must outlive whatever one listener does: all other jobs end through it
            _LOG.exception("the end of a job is stored, and not everyone could be told", extra={"job": ending.job.id})

    def _finish_alone(self, ending: _Ending) -> JobRecord | None:
        try:
            return finish_alone(self._store, ending.job, ending.outcome)
        except Exception:  # noqa: BLE001 - the store is out of order; the job is found unfinished at the next start
            _LOG.exception("a job could not be brought to its end", extra={"job": ending.job.id})
            return None


def finish_alone(store: JobStore, job: ClaimedJob, outcome: JobOutcome) -> JobRecord | None:
    """Store one end; what could not be stored did not happen, so there is one more try, to say so."""
    try:
        return store.finish(job, outcome)
    except Exception as error:  # noqa: BLE001 - whatever it is, the job has an end
        _LOG.warning("the end of a job could not be stored, it is stored as failed", extra={"job": job.id}, exc_info=True)
        return store.finish(job, JobOutcome(JobState.FAILED, failure=describe_failure(error)))
