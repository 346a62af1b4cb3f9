"""The seams of security checks: what one is, and what it may use."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from jivsbench.api.protocols import Connection, TableLoader
from jivsbench.api.workloads import Response
from jivsbench.model.finding import CheckResult, Severity
from jivsbench.model.source import DataSource


class TargetApi(Protocol):
    """A small HTTP client for the API of a running target."""

    def call(self, method: str, path: str, body: object = None) -> Response:
        """One request under /api/v1; never raises for an HTTP status."""
        ...


@dataclass(frozen=True, slots=True)
class TargetVariant:
    """A target to attack: the one under test, the hardened reference, or one made vulnerable on purpose.

    `plugins` are extra plugin modules (`package.module`) to load; `guards` replace the profile's, `connector` the source's.
    """

    name: str
    plugins: tuple[str, ...] = ()
    guards: tuple[str, ...] | None = None
    connector: str | None = None


class CheckContext(Protocol):
    """What a check may use: the target's public API, and an oracle of its own that never asks the target."""

    @property
    def target(self) -> TargetApi:
        """The public API of the running target, with a token of role ADMIN."""
        ...

    @property
    def source(self) -> str:
        """Name of the data source that the target extracts from."""
        ...

    @property
    def dialect(self) -> str:
        """SQL dialect of that source."""
        ...

    @property
    def table(self) -> str:
        """Table of seeded rows that the check may read through the target."""
        ...

    @property
    def is_full(self) -> bool:
        """True for the large corpora of the nightly run."""
        ...

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        ...

    @property
    def corpus(self) -> tuple[str, ...]:
        """Payloads that the user brought, to be tried besides the check's own."""
        ...

    def oracle(self) -> AbstractContextManager[Connection]:
        """A session with the source that does not pass through the target."""
        ...

    def loader(self) -> TableLoader | None:
        """Writes tables of the check's own into the source; None when the connector cannot."""
        ...

    def data_source(self) -> DataSource:
        """The source itself, for `loader`."""
        ...

    def read_output(self, job: object) -> pa.Table:
        """The rows that a finished job wrote, from the disk. `job` is the body of GET /extractions/{id}."""
        ...


class SecurityCheck(Protocol):
    """Attacks or inspects a running target."""

    @property
    def id(self) -> str:
        """Unique id, e.g. "SEC-001"."""
        ...

    @property
    def title(self) -> str:
        """What a pass means, in one line."""
        ...

    @property
    def severity(self) -> Severity:
        """How bad a failure is."""
        ...

    @property
    def vulnerable(self) -> TargetVariant:
        """The positive control: a target that this check MUST fail."""
        ...

    def run(self, context: CheckContext) -> CheckResult:
        """Attack the target. The outcome is PASS, FAIL, NOT_TESTED or NOT_APPLICABLE; the host adds INVALID by the controls."""
        ...


@dataclass(frozen=True, slots=True)
class LabelledStatement:
    """A statement of which it is known whether a guard must refuse it."""

    name: str
    sql: str
    is_hostile: bool


@runtime_checkable
class StatementSupplier(Protocol):
    """Optional ability of a SecurityCheck: the statements that it sends, so that guards can be judged without a server."""

    def statements(self, dialect: str) -> tuple[LabelledStatement, ...]:
        """Hostile and legitimate statements of a dialect; empty for one that the check does not speak."""
        ...
