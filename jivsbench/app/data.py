"""The seeded test table: load it, verify it, drop it, count it."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pyarrow as pa

from jivsbench.api import Connection, PrivilegeTeller, ReadLimits, TableLoader
from jivsbench.app.progress import Listener, Step
from jivsbench.dataset import INDEXED, SCHEMA, TABLE, Dataset, verify_dataset
from jivsbench.errors import EnvironmentProblem, ExtractionError
from jivsbench.model.privilege import ExcessPrivilege
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import ExtractionRequest, TableName, add_up_counts
from jivsbench.plugins import Registry

_LOAD_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """What `load_dataset` wrote."""

    table: str
    rows: int
    seed: int
    duration_s: float


@contextmanager
def connect(registry: Registry, source: DataSource, query_timeout_s: float = 30.0) -> Iterator[Connection]:
    """A session of our own with a source, outside every pool."""
    limits = ReadLimits(query_timeout_s=query_timeout_s)
    with closing(registry.connector(source.connector).connect(source, limits)) as connection:
        yield connection


def find_excess_privileges(registry: Registry, source: DataSource) -> tuple[ExcessPrivilege, ...]:
    """What the source's user may do besides reading; empty also where the source does not tell."""
    with connect(registry, source) as connection:
        return connection.excess_privileges() if isinstance(connection, PrivilegeTeller) else ()


def load_dataset(registry: Registry, owner: DataSource, dataset: Dataset, listener: Listener) -> LoadedTable:
    """Create, fill and index the test table. Raises OutputError when it exists already."""
    started_s = time.monotonic()
    rows = find_loader(registry, owner).load_table(owner, TABLE, SCHEMA, _tell(dataset, listener), INDEXED)
    return LoadedTable(str(TABLE), rows, dataset.seed, time.monotonic() - started_s)


def verify_loaded(registry: Registry, source: DataSource, dataset: Dataset) -> None:
    """Compare every value of the table with the seed's. Raises VerificationError naming the rows that differ."""
    with connect(registry, source, _LOAD_TIMEOUT_S) as connection:
        verify_dataset(connection, source.name, dataset)


def drop_dataset(registry: Registry, owner: DataSource) -> bool:
    """Drop the test table; False when there was none."""
    return find_loader(registry, owner).drop_table(owner, TABLE)


def count_rows(registry: Registry, source: DataSource, table: TableName) -> int:
    """Rows of a table now. Raises MissingObjectError when there is none of that name."""
    request = ExtractionRequest(source=source.name, table=table)
    with connect(registry, source) as connection:
        connection.begin()
        schema = connection.schema(request)
        found = add_up_counts(connection.fingerprint(part) for part in connection.partitions(request, schema, 1))
    if found is None:
        raise ExtractionError(
            f"source {source.name} cannot count the rows of {table}, and a scenario must know how many it should get: "
            "name a source that can"
        )
    return found


def test_source(registry: Registry, source: DataSource) -> ServerFacts:
    """What the source's server says of itself. Raises EnvironmentProblem when it does not answer."""
    with connect(registry, source) as connection:
        return connection.test()


def find_loader(registry: Registry, owner: DataSource) -> TableLoader:
    """The connector's ability to write test data. Raises EnvironmentProblem when it has none."""
    connector = registry.connector(owner.connector)
    if isinstance(connector, TableLoader):
        return connector
    raise EnvironmentProblem(
        f"test data was to be loaded into source '{owner.name}', but its connector '{owner.connector}' cannot write: "
        "use a connector that can (postgres, sqlite)"
    )


def _tell(dataset: Dataset, listener: Listener) -> Iterator[pa.RecordBatch]:
    done = 0
    for batch in dataset.batches():
        yield batch
        done += batch.num_rows
        if done % 100_000 == 0 and done < dataset.rows:
            listener(Step(f"loading: {done:,} of {dataset.rows:,} rows"))
