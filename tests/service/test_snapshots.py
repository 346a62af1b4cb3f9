"""Many streams, one moment: money that moves between accounts while they are read is never there twice and never lost."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from jivsbench.api import Connector, ReadLimits
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.manifest import parse_manifest
from jivsbench.model.profile import OPTIMIZED, PoolLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.connector import PostgresConnector

ACCOUNTS = 400_000
"""Enough for sixteen partitions."""
BALANCE = 100
TABLE = "snapshot_accounts"
WHOLE = ExtractionRequest("bank", TableName(TABLE))
MOVES = (
    # A transfer; an account that is opened with another's money; one that is closed; a new key. Each keeps the sum.
    (
        "UPDATE {t} SET amount = amount - 7 WHERE id = %(first)s",
        "UPDATE {t} SET amount = amount + 7 WHERE id = %(second)s",
    ),
    (
        "UPDATE {t} SET amount = amount - 5 WHERE id = %(first)s",
        "INSERT INTO {t} VALUES (nextval('{t}_ids'), 5)",
    ),
    (
        "UPDATE {t} SET amount = amount + (SELECT amount FROM {t} WHERE id = %(first)s) WHERE id = %(second)s",
        "DELETE FROM {t} WHERE id = %(first)s",
    ),
    ("UPDATE {t} SET id = nextval('{t}_ids') WHERE id = %(first)s",),
)


@pytest.fixture(scope="module")
def bank(embedded_postgres_url: str) -> Iterator[DataSource]:
    """400,000 accounts of 100 each."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as owner:
        owner.execute(f"DROP TABLE IF EXISTS {TABLE}")
        owner.execute(
            f"CREATE TABLE {TABLE} AS SELECT g AS id, {BALANCE}::bigint AS amount FROM generate_series(1, {ACCOUNTS}) g"
        )
        owner.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
        owner.execute(f"CREATE SEQUENCE {TABLE}_ids START {2 * ACCOUNTS}")
        owner.execute(f"ANALYZE {TABLE}")
        yield DataSource("bank", "postgres", Secret(embedded_postgres_url))
        owner.execute(f"DROP TABLE {TABLE}")
        owner.execute(f"DROP SEQUENCE {TABLE}_ids")


@contextmanager
def moving_money(bank: DataSource) -> Iterator[list[int]]:
    """Three writers that never rest; how many moves they made, one entry each."""
    stop, made = threading.Event(), [0, 0, 0]

    def write(number: int) -> None:
        choice = random.Random(number)
        with psycopg.connect(bank.url.reveal(), autocommit=True) as connection:
            while not stop.is_set():
                first, second = choice.sample(range(1, ACCOUNTS + 1), 2)
                with connection.transaction():
                    # In the order of keys, so that writers cannot block one another for ever.
                    locked = connection.execute(
                        f"SELECT id FROM {TABLE} WHERE id = ANY(%s) ORDER BY id FOR UPDATE", ([first, second],)
                    )
                    if len(locked.fetchall()) < 2:
                        continue
                    for step in choice.choice(MOVES):
                        connection.execute(step.format(t=TABLE), {"first": first, "second": second})
                made[number] += 1

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    try:
        yield made
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def extract_sums(connector: Connector, bank: DataSource, folder: Path, runs: int) -> list[tuple[int, int, bool]]:
    """For each run: the sum of all amounts, the partitions, and whether the manifest names one snapshot for all."""
    pool = PoolLimits(max_size=20, min_idle=16)
    found = []
    for streams in (4, 8, 16):
        profile = replace(OPTIMIZED, pool=pool, switches=replace(OPTIMIZED.switches, streams=streams))
        extractor = Extractor(connectors={"postgres": connector}, guards=(), profile=profile, output_dir=folder)
        try:
            for number in range(-(-runs // 3)):
                job = f"job-{streams}-{number}"
                extractor.extract(job, bank, WHOLE)
                files = sorted((folder / job).glob("*.parquet"))
                total = sum(pc.sum(pq.read_table(file, columns=["amount"])["amount"]).as_py() for file in files)
                manifest = parse_manifest((folder / job / "manifest.json").read_bytes())
                is_one = manifest.consistency == "one-snapshot" and manifest.snapshot is not None
                found.append((total, len(manifest.partitions), is_one))
        finally:
            extractor.close(1.0)
    return found


@pytest.mark.parametrize("runs", [9, pytest.param(100, marks=pytest.mark.nightly)])
def test_the_sum_is_the_same_in_every_run(bank: DataSource, tmp_path: Path, runs: int) -> None:
    """Transfers, openings, closings and new keys while 4 to 16 streams read: not a penny differs."""
    with moving_money(bank) as made:
        found = extract_sums(PostgresConnector(), bank, tmp_path, runs)

    assert [total for total, _parts, _is_one in found] == [ACCOUNTS * BALANCE] * len(found)
    assert len(found) >= runs
    assert all(is_one for _total, _parts, is_one in found)
    assert {parts for _total, parts, _is_one in found} >= {4, 8, 16}
    assert min(made) > 0, "a writer did nothing, so nothing was tested"


class _Strangers(PostgresConnector):
    """Planted: every stream but the first takes a moment of its own."""

    def connect(self, source: DataSource, limits: ReadLimits) -> PostgresConnection:
        connection = super().connect(source, limits)
        begin = connection.begin

        def begin_alone(snapshot: str | None = None) -> str | None:
            own = begin()
            return snapshot or own

        connection.begin = begin_alone  # type: ignore[method-assign]
        return connection


@pytest.mark.nightly
def test_streams_without_the_snapshot_are_caught(bank: DataSource, tmp_path: Path) -> None:
    """The same harness sees money lost or doubled as soon as streams do not join."""
    with moving_money(bank):
        found = extract_sums(_Strangers(), bank, tmp_path, 9)

    assert any(total != ACCOUNTS * BALANCE for total, _parts, _is_one in found)
