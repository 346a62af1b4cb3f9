"""Jobs of this process as it last stored them, so that nobody has to ask for what is known here."""

import threading
from collections import OrderedDict
from typing import Final

from jivsbench.extract.jobs.values import JobRecord

_LIMIT: Final = 5_000


class KnownJobs:
    """The newest records of this service's own jobs, for many threads. What fell out is found in the store.

    Nobody else changes a job of this service, so a record here is never out of date.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._records: OrderedDict[str, JobRecord] = OrderedDict()

    def find(self, job_id: str) -> JobRecord | None:
        """The record, if it is known."""
        return self._records.get(job_id)

    def remember(self, record: JobRecord) -> None:
        """Put a record there as it was just stored."""
        with self._lock:
            self._records[record.id] = record
            self._records.move_to_end(record.id)
            if len(self._records) > self._limit:
                self._records.popitem(last=False)

    def forget(self, job_id: str) -> None:
        """The store has a newer record that is not known here."""
        with self._lock:
            self._records.pop(job_id, None)
