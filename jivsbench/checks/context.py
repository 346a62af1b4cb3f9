"""What a check gets to work with: the target's HTTP API, and beside it an oracle that never asks the target."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import urllib3

from jivsbench.api import (
    UNCHANGED,
    CheckContext,
    Connection,
    Connector,
    Installation,
    ReadLimits,
    Response,
    TableLoader,
    TargetChanges,
    Wire,
)
from jivsbench.checks.neighbours import Launch, Neighbours
from jivsbench.errors import InvalidRunError
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource

_NO_ANSWER: Final = Response(0, None)
_TIMEOUT_S: Final = 45.0
"""Longer than the longest long poll (30 s)."""

NO_KEY: Final = Secret("")


class HttpTarget:
    """The API of a running target over one kept connection; an answer that never comes is status 0."""

    def __init__(self, base_url: str, token: Secret) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token.reveal()}"}
        # No retries: a request that the target did not answer is a fact about the target.
        self._pool = urllib3.PoolManager(maxsize=1, retries=False, timeout=urllib3.Timeout(connect=5.0, read=_TIMEOUT_S))

    def call(self, method: str, path: str, body: object = None) -> Response:
        """One request under /api/v1."""
        headers = dict(self._headers)
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        try:
            answer = self._pool.request(method, f"{self._base_url}/api/v1{path}", body=data, headers=headers)
        except urllib3.exceptions.HTTPError:
            return _NO_ANSWER
        return Response(answer.status, _decode(answer.data))

    def close(self) -> None:
        """Let go of the connection."""
        self._pool.clear()


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a running target is found, and where it leaves its traces."""

    base_url: str
    token: Secret
    pid: int
    log: Path
    output_dir: Path
    credential_key: Secret = NO_KEY


@dataclass(frozen=True, slots=True)
class Errand:
    """What all targets of one round of checks have in common. `reader` has the rights of the target, `owner` may write."""

    connector: Connector
    owner: DataSource
    reader: DataSource
    table: str
    is_full: bool
    seed: int
    folder: Path
    """Checks make folders of their own in it."""
    corpus: tuple[str, ...] = ()
    cache_url: Secret | None = None


NOTHING: Final = Installation()
Render = Callable[[Sequence[Sequence[str]]], tuple[Path, ...]]


def render_nowhere(rounds: Sequence[Sequence[str]]) -> tuple[Path, ...]:
    """For a target that comes without reporters."""
    raise InvalidRunError(f"nobody renders reports for this target: {len(rounds)} were asked for")


@dataclass(frozen=True, slots=True)
class HttpCheckContext:
    """A target and its source, for one check after another; used by one thread. Whoever made it closes it."""

    reach: Reach
    errand: Errand
    relaunch: Launch
    installation: Installation = NOTHING
    wire: Wire | None = None
    render: Render = render_nowhere
    target: HttpTarget = field(init=False)
    neighbours: Neighbours = field(init=False)
    """Other targets of the same variant."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", HttpTarget(self.reach.base_url, self.reach.token))
        object.__setattr__(self, "neighbours", Neighbours(self.relaunch))

    def close(self) -> None:
        """End the neighbours, and let go of the connection to the target."""
        try:
            self.neighbours.close()
        finally:
            self.target.close()

    @property
    def base_url(self) -> str:
        """Root URL of the target."""
        return self.reach.base_url

    @property
    def token(self) -> Secret:
        """The bearer token of role ADMIN."""
        return self.reach.token

    @property
    def credential_key(self) -> Secret:
        """The key of the target's stored secrets and of its trail."""
        return self.reach.credential_key

    @property
    def pid(self) -> int:
        """Process id of the target."""
        return self.reach.pid

    @property
    def log(self) -> Path:
        """The target's log."""
        return self.reach.log

    @property
    def output_dir(self) -> Path:
        """The folder that the target writes to."""
        return self.reach.output_dir

    @property
    def cache_url(self) -> Secret | None:
        """The cache server of the target."""
        return self.errand.cache_url

    @property
    def source(self) -> str:
        """Name of the data source."""
        return self.errand.owner.name

    @property
    def dialect(self) -> str:
        """SQL dialect of the source, as its real connector says."""
        return self.errand.connector.dialect

    @property
    def table(self) -> str:
        """Table of seeded rows."""
        return self.errand.table

    @property
    def is_full(self) -> bool:
        """True for the large corpora."""
        return self.errand.is_full

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        return self.errand.seed

    @property
    def corpus(self) -> tuple[str, ...]:
        """Payloads that the user brought."""
        return self.errand.corpus

    def launch(self, changes: TargetChanges = UNCHANGED) -> AbstractContextManager[CheckContext]:
        """Another target of the same variant."""
        return self.relaunch(changes)

    def render_reports(self, rounds: Sequence[Sequence[str]]) -> tuple[Path, ...]:
        """Reports of made-up runs."""
        return self.render(rounds)

    def share(self, changes: TargetChanges) -> CheckContext:
        """Another target of the same variant, kept for the next check that asks for the same."""
        return self.neighbours.share(changes)

    def make_folder(self) -> Path:
        """An empty folder of the check's own."""
        return Path(tempfile.mkdtemp(prefix="check-", dir=self.errand.folder))

    @contextmanager
    def oracle(self) -> Iterator[Connection]:
        """A session with the source through the real connector, whatever the target uses."""
        connection = self.errand.connector.connect(self.errand.owner, ReadLimits())
        try:
            yield connection
        finally:
            connection.close()

    def loader(self) -> TableLoader | None:
        """The connector itself, when it can write tables."""
        connector = self.errand.connector
        return connector if isinstance(connector, TableLoader) else None

    def data_source(self) -> DataSource:
        """The source, as its owner."""
        return self.errand.owner

    def reader(self) -> DataSource:
        """The source, as the target's user."""
        return self.errand.reader

    def read_output(self, job: object) -> pa.Table:
        """The Parquet files of a finished job, as one table. Raises InvalidRunError when they are not where they should be."""
        folder = job.get("output") if isinstance(job, Mapping) else None
        files = sorted((self.output_dir / folder).glob("*.parquet")) if isinstance(folder, str) and folder else []
        if not files:
            raise InvalidRunError("a job that ended COMPLETED left no Parquet file in the output folder: is it the target's own?")
        return pa.concat_tables([pq.read_table(file) for file in files])


def _decode(data: bytes) -> object:
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return None
