"""What it costs to cut a PostgreSQL table into even parts, beside reading it, as a ratio within one run.

Run with `pytest tests/benchmarks --benchmark-only`.
"""

import statistics
import time
from collections.abc import Iterator

import psycopg
import pytest

from jivsbench.api import ReadLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.connector import PostgresConnector

pytestmark = pytest.mark.benchmark

TABLE = "benchmark_planning"
ROWS = 400_000
STREAMS = 4
LARGEST_SHARE = 0.25
"""Of the time that one stream takes to read the table. Measured on two busy cores: 0.08."""
UNEVENNESS_MAX = 2.0
"""The largest part beside the mean."""


@pytest.fixture(scope="module")
def session(embedded_postgres_url: str) -> Iterator[PostgresConnection]:
    """A session with a table of which the rows are dead in one half, which even page ranges would get wrong."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as admin:
        admin.execute(f"DROP TABLE IF EXISTS {TABLE}")
        admin.execute(
            f"CREATE TABLE {TABLE} AS SELECT g AS id, repeat(md5(g::text), 3) AS note FROM generate_series(1, {ROWS}) AS g"
        )
        admin.execute(f"DELETE FROM {TABLE} WHERE id < {ROWS // 2} AND id % 20 <> 0")
        admin.execute(f"ANALYZE {TABLE}")
        connection = PostgresConnector().connect(DataSource("benchmark", "postgres", Secret(embedded_postgres_url)), ReadLimits())
        yield connection
        connection.close()
        admin.execute(f"DROP TABLE {TABLE}")


def test_planning_is_a_small_part_of_reading(benchmark, session: PostgresConnection) -> None:
    """Both in turn, so that the machine's mood meets both; the parts that were planned are even as well."""
    session.reset()
    session.begin()
    request = ExtractionRequest("benchmark", TableName(TABLE))
    schema = session.schema(request)
    whole = session.partitions(request, schema, 1)[0]
    shares = []

    def pair() -> None:
        started = time.perf_counter()
        parts = session.partitions(request, schema, STREAMS)
        planned = time.perf_counter()
        rows = sum(batch.num_rows for batch in session.read(whole))
        shares.append((planned - started) / (time.perf_counter() - planned))
        assert len(parts) == STREAMS
        assert rows == session.fingerprint(whole).row_count

    benchmark.pedantic(pair, rounds=9, warmup_rounds=1)
    share = statistics.median(shares)
    counts = [session.fingerprint(part).row_count or 0 for part in session.partitions(request, schema, STREAMS)]
    unevenness = max(counts) * STREAMS / sum(counts)
    benchmark.extra_info["planning_to_reading_ratio"] = round(share, 4)
    benchmark.extra_info["largest_to_mean_ratio"] = round(unevenness, 2)

    assert share < LARGEST_SHARE
    assert unevenness <= UNEVENNESS_MAX
