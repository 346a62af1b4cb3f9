"""Jobs of this process as it last stored them, so that nobody has to ask for what is known here."""

import threading
from collections import OrderedDict
from typing import Final

from jivsbench.extract.jobs.values import JobRecord, JobStatistics

_LIMIT: Final = 5_000


class KnownJobs:
    """The newest records of this service's own jobs, for many threads. What fell out is found in the store.

    Nobody else changes a job of this service, so a record here is never out of date.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._records: OrderedDict[str, JobRecord] = OrderedDict()
        self._statistics: dict[str, JobStatistics] = {}

    def find(self, job_id: str) -> JobRecord | None:
        """The record, if it is known."""
        return self._records.get(job_id)

    def find_statistics(self, job_id: str) -> JobStatistics | None:
        """What the job did, if it has completed and is known."""
        return self._statistics.get(job_id)

    def remember(self, record: JobRecord, statistics: JobStatistics | None = None) -> None:
        """Put a record there as it was just stored, with its statistics when it has completed."""
        with self._lock:
            self._records[record.id] = record
            self._records.move_to_end(record.id)
            if statistics is not None:
                self._statistics[record.id] = statistics
            if len(self._records) > self._limit:
                oldest, _record = self._records.popitem(last=False)
                self._statistics.pop(oldest, None)

    def forget(self, job_id: str) -> None:
        """The store has a newer record that is not known here."""
        with self._lock:
            self._records.pop(job_id, None)
            self._statistics.pop(job_id, None)
