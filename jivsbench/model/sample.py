"""Samples of operations, counted per second into intervals."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jivsbench.model.histogram import Histogram
from jivsbench.model.scenario import BlockPhase

LATE_S: Final = 60
"""How long a second may still be added to: what became known late has a later interval of the same second."""


class OperationKind(StrEnum):
    """`call`: one HTTP request. `wait`: a long poll, as long as the job, not the server, takes. `job`: a whole extraction."""

    CALL = "call"
    WAIT = "wait"
    JOB = "job"


class ErrorClass(StrEnum):
    """Why an operation failed. `code` beside it says more (an HTTP status, an error name); never a message."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    CLIENT = "4xx"
    SERVER = "5xx"
    NOT_SENT = "not_sent"
    """An arrival of an open loop for which the queue had no room, or whose turn had not come when the block's time was up."""
    WRONG_ROWS = "wrong_rows"
    JOB_FAILED = "job_failed"
    JOB_CANCELLED = "job_cancelled"


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How often one class and code of error was seen."""

    error: ErrorClass
    code: str
    count: int


def count_errors(errors: Iterable[ErrorCount]) -> int:
    """How many errors these are together."""
    return sum(error.count for error in errors)


@dataclass(frozen=True, slots=True)
class OperationInterval:
    """One operation in one interval, by the three clocks. Failed operations count in the histograms too.

    response = end - intended start; service = end - actual start; lag = actual start - intended start.
    """

    operation: str
    kind: OperationKind
    count: int
    rows: int
    errors: tuple[ErrorCount, ...]
    response: Histogram
    service: Histogram
    lag: Histogram


@dataclass(frozen=True, slots=True)
class Interval:
    """One second of load against one arm: what ended in it. One line of intervals.jsonl."""

    second: int
    arm: str
    block: int
    phase: BlockPhase
    users: int
    operations: tuple[OperationInterval, ...]
    planned: int | None = None
    """Open loop: arrivals that were meant for this second; None in a closed loop, which plans users."""
    offered: int | None = None
    """Open loop: arrivals that the clock released in this second, whether sent, queued or without room."""
    achieved: int | None = None
    """Iterations that ended in this second without any failure."""
