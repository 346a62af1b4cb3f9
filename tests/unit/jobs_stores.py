"""Job stores for tests: on SQLite in a folder, and on PostgreSQL in a database of their own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from jivsbench.extract.credentials import CredentialVault, format_new_key, parse_credential_key
from jivsbench.extract.jobs.database import StoreDatabase, open_database
from jivsbench.extract.jobs.sources import SourceStore
from jivsbench.extract.jobs.store import JobStore
from jivsbench.extract.jobs.values import SourceRecord
from jivsbench.model.job import ExtractionResult, OutputFile, Phase, PhaseTime
from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName

REQUEST = ExtractionRequest("shop", TableName("orders", "sales"), columns=("id",), row_limit=5)


def build_source(name: str = "shop", password: str = "S3cret-pw") -> DataSource:
    """A source with a password to look for."""
    return DataSource(name, "fake", Secret(f"fake://ann:{password}@db/{name}"), tables=("sales.orders",))


def build_result(job_id: str, rows: int = 10, *, written: int | None = None, in_source: int | None = None) -> ExtractionResult:
    """What an extractor returns; rows agree unless told otherwise."""
    return ExtractionResult(
        folder=job_id,
        files=(OutputFile("part-0.parquet", rows, 1234),),
        rows_read=rows,
        rows_written=rows if written is None else written,
        rows_in_source=rows if in_source is None else in_source,
        streams=1,
        snapshot=None,
        phases=(PhaseTime(Phase.READ, 3_000_000), PhaseTime(Phase.WRITE, 1_000_000)),
        duration_ns=5_000_000,
    )


@contextmanager
def open_sqlite(folder: Path) -> Iterator[StoreDatabase]:
    """A store in a new file."""
    database = open_database(None, folder, OPTIMIZED.metadata)
    yield database
    database.close()


@contextmanager
def own_database(postgres_url: str) -> Iterator[str]:
    """URL of a new, empty database."""
    name = f"store_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield postgres_url.rpartition("/")[0] + f"/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


VAULT = CredentialVault(parse_credential_key(format_new_key()))


def build_sources(database: StoreDatabase, vault: CredentialVault | None = VAULT) -> SourceStore:
    """The sources of one service, with the key of this test run."""
    return SourceStore(database, vault)


def add_source(database: StoreDatabase, name: str = "shop") -> SourceRecord:
    """A stored source."""
    return build_sources(database).add(build_source(name))


def build_store(database: StoreDatabase, *, owner: str = "me", join_fetch: bool = True) -> JobStore:
    """The jobs of one service."""
    return JobStore(database, owner=owner, join_fetch=join_fetch)
