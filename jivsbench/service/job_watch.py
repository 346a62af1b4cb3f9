"""What the service notes of its jobs while they run: figures, and refusals, which belong into the audit trail."""

import contextlib
from dataclasses import dataclass

from jivsbench.errors import AuditError
from jivsbench.extract.jobs.values import JobFailure
from jivsbench.model.job import ExtractionResult, JobState
from jivsbench.service.audit import AuditTrail
from jivsbench.service.metrics import JobMetrics


@dataclass(frozen=True, slots=True)
class JobWatch:
    """A JobObserver."""

    metrics: JobMetrics
    trail: AuditTrail

    def entered(self, state: JobState) -> None:
        """A job has come into that state."""
        self.metrics.entered(state)

    def extracted(self, result: ExtractionResult) -> None:
        """A job has completed with that result."""
        self.metrics.extracted(result)

    def refused(self, job_id: str, source: str, failure: JobFailure) -> None:
        """A guard, or the list of destinations, has ended the job. It stays refused when that cannot be written down."""
        with contextlib.suppress(AuditError):
            self.trail.record("refused", job=job_id, source=source, slug=failure.slug, detail=failure.message)
