"""What a check gets to work with: the target's HTTP API, and beside it an oracle that never asks the target."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import urllib3

from jivsbench.api import Connection, Connector, ReadLimits, Response, TableLoader
from jivsbench.errors import InvalidRunError
from jivsbench.model.source import DataSource

_NO_ANSWER: Final = Response(0, None)
_TIMEOUT_S: Final = 45.0
"""Longer than the longest long poll (30 s)."""


class HttpTarget:
    """The API of a running target over one kept connection; an answer that never comes is status 0."""

    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
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


class HttpCheckContext:
    """A target and its source, for one check after another; used by one thread."""

    def __init__(
        self,
        *,
        base_url: str,
        token: str,
        output_dir: Path,
        connector: Connector,
        data_source: DataSource,
        table: str,
        is_full: bool,
        seed: int,
        corpus: tuple[str, ...] = (),
    ) -> None:
        self._target = HttpTarget(base_url, token)
        self._output_dir = output_dir
        self._connector = connector
        self._data_source = data_source
        self._table = table
        self._is_full = is_full
        self._seed = seed
        self._corpus = corpus

    @property
    def target(self) -> HttpTarget:
        """The public API of the running target."""
        return self._target

    @property
    def source(self) -> str:
        """Name of the data source."""
        return self._data_source.name

    @property
    def dialect(self) -> str:
        """SQL dialect of the source, as its real connector says."""
        return self._connector.dialect

    @property
    def table(self) -> str:
        """Table of seeded rows."""
        return self._table

    @property
    def is_full(self) -> bool:
        """True for the large corpora."""
        return self._is_full

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        return self._seed

    @property
    def corpus(self) -> tuple[str, ...]:
        """Payloads that the user brought."""
        return self._corpus

    @contextmanager
    def oracle(self) -> Iterator[Connection]:
        """A session with the source through the real connector, whatever the target uses."""
        connection = self._connector.connect(self._data_source, ReadLimits())
        try:
            yield connection
        finally:
            connection.close()

    def loader(self) -> TableLoader | None:
        """The connector itself, when it can write tables."""
        return self._connector if isinstance(self._connector, TableLoader) else None

    def data_source(self) -> DataSource:
        """The source itself."""
        return self._data_source

    def read_output(self, job: object) -> pa.Table:
        """The Parquet files of a finished job, as one table. Raises InvalidRunError when they are not where they should be."""
        folder = job.get("output") if isinstance(job, Mapping) else None
        files = sorted((self._output_dir / folder).glob("*.parquet")) if isinstance(folder, str) and folder else []
        if not files:
            raise InvalidRunError("a job that ended COMPLETED left no Parquet file in the output folder: is it the target's own?")
        return pa.concat_tables([pq.read_table(file) for file in files])


def _decode(data: bytes) -> object:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None
