"""How much reading rows as bytes saves against the driver's plain unbuffered cursor, as ratios of the same run.

A ratio holds on any machine; milliseconds do not. Run with `pytest tests/benchmarks --benchmark-only`.
"""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator

import pytest

from jivsbench.api import ReadLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import Partition
from jivsbench_mysql.connection import MysqlConnection
from jivsbench_mysql.connector import MysqlConnector
from tests.mysql_database import connect_admin, part_of, table

pytestmark = [pytest.mark.benchmark, pytest.mark.real_server]

ROWS = (1_000, 50_000)
SMALLEST_RATIO = 2.0
"""Below this the path is not worth its code."""
CREATE = """
CREATE TABLE benchmark_reads (
  id BIGINT PRIMARY KEY, uuid CHAR(36), name VARCHAR(60), email VARCHAR(80), status VARCHAR(10), amount DECIMAL(10,2),
  category VARCHAR(20), description LONGTEXT, metadata LONGTEXT, created_at TIMESTAMP(6) NULL, updated_at TIMESTAMP(6) NULL)
"""
FILL = """
INSERT INTO benchmark_reads
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 50000)
SELECT n, uuid(), concat('Name ', n), concat('user', n, '@example.com'), elt(1 + n % 3, 'active', 'inactive', 'pending'),
       n % 100000 / 7.0, concat('category ', n % 20), repeat(md5(n), 7), concat('{"k": ', n, ', "note": "x quoted"}'),
       TIMESTAMP'2024-01-01 00:00:00' + INTERVAL n MINUTE, TIMESTAMP'2024-01-01 00:00:00' + INTERVAL n SECOND
  FROM numbers
"""


@pytest.fixture(scope="module")
def session(real_mysql_url: str) -> Iterator[MysqlConnection]:
    """A session with a table of 11 columns and rows of about 500 bytes."""
    with contextlib.closing(connect_admin(real_mysql_url)) as admin, admin.cursor() as cursor:
        cursor.execute(
            "SET max_recursive_iterations = 100000"
            if "MariaDB" in admin.get_server_info()
            else "SET cte_max_recursion_depth = 100000"
        )
        cursor.execute(CREATE)
        cursor.execute(FILL)
        connection = MysqlConnector().connect(DataSource("benchmark", "mysql", Secret(real_mysql_url)), ReadLimits())
        yield connection
        connection.close()
        cursor.execute("DROP TABLE benchmark_reads")


def plan(session: MysqlConnection, rows: int) -> Partition:
    """Some rows of the table, in a transaction."""
    session.reset()
    session.begin()
    return part_of(session, table("benchmark_reads", row_limit=rows))


def read_batches(session: MysqlConnection, partition: Partition) -> int:
    """All rows as record batches."""
    return sum(batch.num_rows for batch in session.read(partition))


def read_rows(session: MysqlConnection, partition: Partition) -> int:
    """All rows as Python tuples, through the driver's SSCursor."""
    return sum(1 for _row in session.read_rows(partition))


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("way", [read_batches, read_rows])
def test_read(benchmark, session: MysqlConnection, way: Callable[[MysqlConnection, Partition], int], rows: int) -> None:
    """The time of one warm read, for the table of results."""
    partition = plan(session, rows)

    assert benchmark.pedantic(way, (session, partition), rounds=5, warmup_rounds=1) == rows


@pytest.mark.parametrize("rows", ROWS)
def test_batches_are_read_faster_than_rows(benchmark, session: MysqlConnection, rows: int) -> None:
    """Both ways in turn, so that the machine's mood meets both; the medians of the pairs' ratios of time and of CPU count."""
    partition = plan(session, rows)
    ratios: list[tuple[float, float]] = []

    def pair() -> None:
        times = []
        for way in (read_batches, read_rows):
            started, started_cpu = time.perf_counter(), time.process_time()
            assert way(session, partition) == rows
            times.append((time.perf_counter() - started, time.process_time() - started_cpu))
        ratios.append((times[1][0] / times[0][0], times[1][1] / times[0][1]))

    benchmark.pedantic(pair, rounds=7, warmup_rounds=1)
    wall, cpu = (statistics.median(column) for column in zip(*ratios, strict=True))
    benchmark.extra_info["rows_to_batches_ratio"] = round(wall, 2)
    benchmark.extra_info["rows_to_batches_cpu_ratio"] = round(cpu, 2)

    assert wall > SMALLEST_RATIO
    assert cpu > SMALLEST_RATIO
