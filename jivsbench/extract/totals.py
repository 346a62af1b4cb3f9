"""Counters of a source's connections, and the errors of those who did not get one."""

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass

from jivsbench.errors import ExtractionError, PoolTimeoutError
from jivsbench.extract.leases import Lease
from jivsbench.model.statistics import PoolStatistics

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class PoolTotals:
    """Counters since the pool was built."""

    opened: int = 0
    closed: int = 0
    borrowed: int = 0
    timeouts: int = 0
    leaks: int = 0
    connects_failed: int = 0
    resets_failed: int = 0
    wait_ns: int = 0

    def report(self, source: str, max_size: int, *, active: int, idle: int, waiting: int) -> PoolStatistics:
        """These totals beside what the pool holds at this moment."""
        return PoolStatistics(
            source=source,
            max_size=max_size,
            active=active,
            idle=idle,
            waiting=waiting,
            opened_total=self.opened,
            closed_total=self.closed,
            borrowed_total=self.borrowed,
            timeouts_total=self.timeouts,
            leaks_total=self.leaks,
            wait_ns_total=self.wait_ns,
            connects_failed_total=self.connects_failed,
            resets_failed_total=self.resets_failed,
        )


def find_leaks(leases: Collection[Lease], now_s: float, leak_report_s: float) -> list[Lease]:
    """Leases held for longer than `leak_report_s`, each once: they are marked as reported."""
    leaked = [lease for lease in leases if not lease.is_reported and now_s - lease.borrowed_at_s > leak_report_s]
    for lease in leaked:
        lease.is_reported = True
    return leaked


def log_leaks(source: str, leaked: Collection[Lease], now_s: float) -> None:
    """One warning a leak, with the job that holds the connection."""
    for lease in leaked:
        held_s = now_s - lease.borrowed_at_s
        _log.warning("job %s has held a connection to source %s for %.0f s", lease.job_id, source, held_s)


def build_timeout_error(source: str, job_id: str, timeout_s: float, leases: Collection[Lease], limit: str) -> PoolTimeoutError:
    """Say how long the job waited, who holds the connections, and what to change. `limit` names the setting in the way."""
    asked = f"job {job_id} waited {timeout_s:.1f} s for a connection to source {source}"
    if not leases:
        return PoolTimeoutError(f"{asked}: none could be opened in that time; check that the server answers, or raise {limit}")
    longest = min(leases, key=lambda lease: lease.borrowed_at_s)
    held_s = time.monotonic() - longest.borrowed_at_s
    return PoolTimeoutError(
        f"{asked}: {len(leases)} are in use, one by job {longest.job_id} for {held_s:.1f} s; raise {limit} or start fewer jobs"
    )


def build_closed_error(source: str, job_id: str) -> ExtractionError:
    """The source was changed or removed, so its old connections must not be used any more."""
    return ExtractionError(f"job {job_id} uses source {source}, which was changed or removed meanwhile: start the job again")
