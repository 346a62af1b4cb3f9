"""The memory that `jivsbench extract` takes at its peak, for tables of growing size.

`python -m tests.benchmarks.flat_memory [--rows 100000,1000000,10000000] [--verify count]`

Rows have eleven columns of TPC-H's lineitem kind, about 120 bytes. Memory is the greatest sum of the proportional set sizes
of the command's process tree, looked at every 0.03 s; the embedded PostgreSQL is not part of it.
"""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

import psycopg

from jivsbench.embedded import start_postgres
from tests.benchmarks.peers.watch import run_watched

_TIMEOUT_S = 900.0
_CREATE = """
CREATE TABLE grown AS
SELECT g::int8 AS orderkey, (g * 7 % 200000)::int8 AS partkey, (g % 10000)::int8 AS suppkey, (g % 7)::int4 AS linenumber,
       (g % 50)::numeric(15, 2) AS quantity, (g % 100000 / 7.0)::numeric(15, 2) AS price,
       (ARRAY['A', 'N', 'R'])[1 + g % 3] AS flag,
       '1992-01-01'::date + (g % 2500)::int AS shipdate, '1992-01-01'::date + (g % 2400)::int AS receiptdate,
       (ARRAY['MAIL', 'SHIP', 'TRUCK', 'RAIL'])[1 + g % 4] AS shipmode,
       left(md5(g::text) || md5((g + 1)::text), 20 + (g % 24)::int) AS comment
  FROM generate_series(1, {rows}) AS g
"""


def main() -> None:
    """Print one line a size, and the growth over all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="100000,1000000,10000000")
    parser.add_argument("--verify", default="count")
    options = parser.parse_args()
    peaks = []
    with tempfile.TemporaryDirectory(prefix="jivsbench-memory-") as folder, start_postgres() as server:
        for rows in map(int, options.rows.split(",")):
            with psycopg.connect(server.owner_url.reveal(), autocommit=True) as admin:
                admin.execute("DROP TABLE IF EXISTS grown")
                admin.execute(_CREATE.format(rows=rows).encode())
                admin.execute("VACUUM ANALYZE grown")
            out = Path(folder) / "out"
            argv = [sys.executable, "-m", "jivsbench", "extract", "main", "grown", "--to", str(out), "--verify", options.verify]
            environment = {**os.environ, "JIVSBENCH_SOURCE_URL": server.reader_url.reveal()}
            cost = run_watched(argv, environment, Path(folder) / "log", _TIMEOUT_S)
            peaks.append(cost.peak_pss_bytes / 1e6)
            print(f"{rows:11,} rows: {peaks[-1]:6.1f} MB at the peak, {cost.wall_s:.1f} s", flush=True)
            shutil.rmtree(out)
    print(f"growth {max(peaks) - peaks[0]:.1f} MB; load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
