"""The seams of security checks: what one is, and what it may use."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, runtime_checkable

import pyarrow as pa

from jivsbench.api.protocols import Connection, TableLoader
from jivsbench.api.workloads import Response
from jivsbench.model.finding import CheckResult, Severity
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource


class TargetApi(Protocol):
    """A small HTTP client for the API of a running target."""

    def call(self, method: str, path: str, body: object = None) -> Response:
        """One request under /api/v1; never raises for an HTTP status."""
        ...


@dataclass(frozen=True, slots=True)
class TargetVariant:
    """A target to attack: the one under test, the hardened reference, or one made vulnerable on purpose.

    `plugins` are extra plugin modules (`package.module`) to load; `guards` and `cache` replace the profile's, `connector` the
    source's. `installations` name functions (`package.module:function`) that plant what is wrong with an installation: each
    gets an empty folder and returns an `Installation`. `cache_server` gives it a cache server of its own: "stock", which lets
    everybody do everything, or "confined", as the embedded one is, where one can be started. `is_alone` keeps what would disturb
    other checks out of a shared target.
    `is_unlocked` loads plugins without looking at `plugins.lock`: no plugin could switch that off, it comes before all of them.
    """

    name: str
    plugins: tuple[str, ...] = ()
    guards: tuple[str, ...] | None = None
    connector: str | None = None
    cache: str | None = None
    installations: tuple[str, ...] = ()
    cache_server: Literal["stock", "confined"] | None = None
    is_alone: bool = False
    is_unlocked: bool = False


@dataclass(frozen=True, slots=True)
class Installation:
    """What a target is made of, as files: for checks that look at it instead of attacking it."""

    packages: tuple[Path, ...] = ()
    """Folders that hold installed distributions (`site-packages`)."""
    sources: tuple[Path, ...] = ()
    """The Python source of the host and of every loaded plugin: folders, or the file of a plugin that is a single one."""
    configurations: tuple[Path, ...] = ()
    """Configuration files that are in force, and files of the same folder that set secrets for it."""
    locks: tuple[Path, ...] = ()
    """Files that pin what is installed."""
    advisories: tuple[Path, ...] = ()
    """Files or folders with advisories in the OSV format, brought by the user."""


@dataclass(frozen=True, slots=True)
class TargetChanges:
    """In what another target of the same variant differs. None, or empty, is: as it is."""

    query_timeout_s: float | None = None
    job_timeout_s: float | None = None
    pool_size: int | None = None
    borrow_timeout_s: float | None = None
    queue_limit: int | None = None
    job_workers: int | None = None
    batching: bool | None = None
    """Rows travel as batches, or one by one."""
    source_url: Secret | None = None
    cache_url: Secret | None = None
    metadata_url: Secret | None = None
    credential_key: Secret | None = None
    mask_key: Secret | None = None
    admin_token: Secret | None = None
    destinations: tuple[str, ...] | None = None
    plugins: tuple[str, ...] = ()
    """Modules that are loaded besides."""
    plugins_lock: Path | None = None
    environment: tuple[tuple[str, str], ...] = ()
    """Variables of the target's process, besides those of this one."""
    umask: int | None = None
    guards: tuple[str, ...] | None = None
    """Names of guards; empty: none, so that what stands behind them is attacked."""
    escape_formulas: bool | None = None


UNCHANGED: Final = TargetChanges()


@dataclass(frozen=True, slots=True)
class WireMessage:
    """One message that a target sent to its source's server. `kind` is the protocol's own letter ("Q", "P", ...), or a word.

    Of a long message `payload` is the start alone, and `is_whole` says so.
    """

    connection: int
    kind: str
    payload: bytes
    is_whole: bool = True


class Wire(Protocol):
    """What a target says to its source's server, as a recorder between the two sees it."""

    @property
    def is_complete(self) -> bool:
        """False when a statement's text was not kept whole: it was too long, there was no room, or it could not be read."""
        ...

    def mark(self) -> int:
        """The place in the record that is the end just now."""
        ...

    def since(self, mark: int) -> tuple[WireMessage, ...]:
        """The messages after a mark."""
        ...


class CheckContext(Protocol):
    """What a check may use: the target's public API, and an oracle of its own that never asks the target."""

    @property
    def target(self) -> TargetApi:
        """The public API of the running target, with a token of role ADMIN."""
        ...

    @property
    def base_url(self) -> str:
        """Root URL of the target, for requests that `target` cannot make; the API is under /api/v1."""
        ...

    @property
    def token(self) -> Secret:
        """The bearer token of role ADMIN."""
        ...

    @property
    def credential_key(self) -> Secret:
        """The key of which the target derives those that encrypt its stored secrets and sign its audit trail."""
        ...

    @property
    def pid(self) -> int:
        """Process id of the target."""
        ...

    @property
    def log(self) -> Path:
        """The file that the target's log is appended to."""
        ...

    @property
    def output_dir(self) -> Path:
        """The folder that the target writes extractions to; its own state is in there too."""
        ...

    @property
    def wire(self) -> Wire | None:
        """What the target says to its source's server; None when nothing stands between the two."""
        ...

    @property
    def cache_url(self) -> Secret | None:
        """The cache server of the target; None for one in its memory."""
        ...

    @property
    def installation(self) -> Installation:
        """What the target is made of, as files."""
        ...

    def launch(self, changes: TargetChanges = UNCHANGED) -> "AbstractContextManager[CheckContext]":
        """Another target of the same variant, gone at the end of the block.

        Raises the JivsbenchError with which the target refused to start.
        """
        ...

    def render_reports(self, rounds: Sequence[Sequence[str]]) -> tuple[Path, ...]:
        """For each round a folder with every report of a made-up run, whose every text is one of the round's.

        The labels of source and cache stand behind such a text. Raises InvalidRunError when they could not be rendered.
        """
        ...

    def share(self, changes: TargetChanges) -> "CheckContext":
        """As `launch`, but kept until the target of this context is gone, for whichever check asks for the same changes.

        A check leaves it as it found it, or ends its process: then the next one that asks gets another.
        """
        ...

    def make_folder(self) -> Path:
        """An empty folder of the check's own, mode 0700, gone when the checks have ended."""
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
        """The source with the rights of its owner, for `loader` and for oracles."""
        ...

    def reader(self) -> DataSource:
        """The source with the rights that the target has."""
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


@runtime_checkable
class InstallationCheck(Protocol):
    """Optional ability of a SecurityCheck that looks at the installation: one in which nothing is wrong.

    The hardened reference is of the same files as the target. Without this, what is wrong with the installation would fail that
    control, and the check could never say FAIL of a target.
    """

    @property
    def sound_installations(self) -> tuple[str, ...]:
        """Functions like those of `TargetVariant.installations`; this check MUST pass over what they plant."""
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
