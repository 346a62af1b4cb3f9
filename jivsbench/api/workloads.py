"""What one virtual user does, and what it sees of its target."""

import random
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from jivsbench.model.feed import FeedRow
from jivsbench.model.scenario import OfferedSource, WorkloadSpec


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer as a workload or a check sees it: status (0 when there was none) and the decoded JSON body, if any."""

    status: int
    body: object


class UserContext(Protocol):
    """What a workload sees of its virtual user. Every call is timed and counted by the recorder."""

    @property
    def random(self) -> random.Random:
        """This user's own seeded random source."""
        ...

    @property
    def spec(self) -> WorkloadSpec:
        """The scenario's workload settings."""
        ...

    @property
    def source(self) -> str:
        """Name of the data source to extract from."""
        ...

    @property
    def table_rows(self) -> int:
        """Rows of the table when the run was planned."""
        ...

    @property
    def sources(self) -> tuple[OfferedSource, ...]:
        """Data sources beside the main one that were made for the scenario's mix."""
        ...

    def next_feed_row(self) -> FeedRow | None:
        """The next row of the scenario's feed for this user, the same in every run of one seed; None without a feed."""
        ...

    def call(self, operation: str, method: str, path: str, body: object = None) -> Response:
        """One timed request; `operation` is its name in figures, from a small fixed set."""
        ...

    def wait_for_job(self, job_id: str, timeout_s: float) -> Response:
        """Long-poll until the job ends or the time is up; counted as a wait, not as a call."""
        ...

    def job(self) -> AbstractContextManager["JobSpan"]:
        """Time one whole job; it counts as failed unless `completed` was called."""
        ...


class JobSpan(Protocol):
    """The running clock of one whole job."""

    def completed(self, rows_read: int, rows_written: int, rows_expected: int) -> None:
        """The job ended COMPLETED; rows that differ make it an error of class wrong_rows. Stops the clock."""
        ...

    def failed(self, state: str, code: str) -> None:
        """The job ended FAILED or CANCELLED, never ended ("TIMEOUT") or was not created ("REFUSED"). Stops the clock."""
        ...


class Workload(Protocol):
    """What one virtual user does, again and again."""

    @property
    def name(self) -> str:
        """Unique name, as written in a scenario."""
        ...

    @property
    def operations(self) -> tuple[str, ...]:
        """Names of the operations it times, so that gates can be checked before any load is sent."""
        ...

    def iterate(self, user: UserContext) -> None:
        """One iteration. Must use only `user` for input and output."""
        ...
