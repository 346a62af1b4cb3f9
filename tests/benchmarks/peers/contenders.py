"""What each contender does, in a process of its own: the table of a PostgreSQL into Parquet with zstd.

`python -m tests.benchmarks.peers.contenders NAME FOLDER`, with the server's URL in PEERS_URL. Each is used as its own
documentation says for a large table, in its fastest form known to us.
"""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

_STREAMS: Final = 2
_QUERY: Final = "SELECT * FROM lineitem"
_CHUNK_ROWS: Final = 50_000


def _url() -> str:
    return os.environ["PEERS_URL"]


def _halves() -> tuple[str, str]:
    import psycopg

    with psycopg.connect(_url()) as connection:
        row = connection.execute(
            "SELECT pg_relation_size('lineitem') / current_setting('block_size')::int8 / 2",
        ).fetchone()
    middle = row[0] if row else 0
    return f"ctid < '({middle},0)'::tid", f"ctid >= '({middle},0)'::tid"


def run_jivsbench(folder: Path) -> None:
    """Cold start, verification and commit included."""
    environment = {**os.environ, "JIVSBENCH_SOURCE_URL": _url()}
    argv = [sys.executable, "-m", "jivsbench", "extract", "main", "lineitem", "--to", str(folder / "out")]
    subprocess.run(argv, check=True, env=environment)


def run_limit(folder: Path) -> None:
    """Two bare psql streams that throw the rows away: what server and line can give."""
    del folder
    from jivsbench.embedded.postgres import find_postgres_programs

    psql = find_postgres_programs() / "psql"
    with Path(os.devnull).open("wb") as nothing:
        streams = [
            subprocess.Popen([psql, _url(), "-c", f"COPY ({_QUERY} WHERE {half}) TO STDOUT (FORMAT csv)"], stdout=nothing)
            for half in _halves()
        ]
        if max(stream.wait() for stream in streams):
            raise SystemExit(1)


def run_connectorx(folder: Path) -> None:
    """Partitions by key, an Arrow table, one Parquet file."""
    import connectorx
    import pyarrow.parquet as pq

    table = connectorx.read_sql(_url(), _QUERY, return_type="arrow", partition_on="l_orderkey", partition_num=_STREAMS)
    pq.write_table(table, folder / "out.parquet", compression="zstd")


def _adbc_part(where: str, path: Path) -> None:
    import adbc_driver_postgresql.dbapi
    import pyarrow.parquet as pq

    with adbc_driver_postgresql.dbapi.connect(_url()) as connection, connection.cursor() as cursor:
        cursor.execute(f"{_QUERY} {where}")
        reader = cursor.fetch_record_batch()
        with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)


def run_adbc(folder: Path) -> None:
    """One stream of record batches."""
    _adbc_part("", folder / "out.parquet")


def run_adbc_parallel(folder: Path) -> None:
    """Two processes, half of the pages each."""
    with ProcessPoolExecutor(_STREAMS, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(_adbc_part, f"WHERE {half}", folder / f"{i}.parquet") for i, half in enumerate(_halves())]
        for part in parts:
            part.result()


def run_polars(folder: Path) -> None:
    """Through ADBC, the whole table in memory."""
    import polars as pl

    pl.read_database_uri(_QUERY, _url(), engine="adbc").write_parquet(folder / "out.parquet", compression="zstd")


def run_rivet(folder: Path) -> None:
    """A full export; its reconciliation (a count) is part of it, as verification is of ours."""
    config = folder / "rivet.yaml"
    config.write_text(
        "source:\n  type: postgres\n  url_env: PEERS_URL\nexports:\n  - name: lineitem\n    table: lineitem\n    mode: full\n"
        "    format: parquet\n    compression: zstd\n"
        f"    destination:\n      type: local\n      path: {folder}/out/\n    columns:\n"
        + "".join(f"      {name}: decimal(15,2)\n" for name in ("l_quantity", "l_extendedprice", "l_discount", "l_tax"))
    )
    rivet = Path(sysconfig.get_path("scripts"), "rivet")
    subprocess.run([rivet, "run", "--config", config, "--reconcile", "--no-notify"], check=True, cwd=folder)


def run_dlt(folder: Path) -> None:
    """A pipeline into files, with the backend pyarrow."""
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DESTINATION__FILESYSTEM__BUCKET_URL": f"file://{folder}/out"}
    import dlt
    from dlt.sources.sql_database import sql_table

    pipeline = dlt.pipeline("peers", destination="filesystem", dataset_name="peers", pipelines_dir=str(folder / "state"))
    table = sql_table(
        credentials=_url(),
        table="lineitem",
        backend="pyarrow",
        chunk_size=_CHUNK_ROWS,
        reflection_level="full_with_precision",
    )
    pipeline.run(table, loader_file_format="parquet")


def run_pandas(folder: Path) -> None:
    """SQLAlchemy's rows in chunks, through frames."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    import sqlalchemy

    engine = sqlalchemy.create_engine(_url().replace("postgresql://", "postgresql+psycopg://"))
    writer: pq.ParquetWriter | None = None
    with engine.connect().execution_options(stream_results=True) as connection:
        for frame in pd.read_sql_query(sqlalchemy.text(_QUERY), connection, chunksize=_CHUNK_ROWS):
            table = pa.Table.from_pandas(frame, preserve_index=False)
            writer = writer or pq.ParquetWriter(folder / "out.parquet", table.schema, compression="zstd")
            writer.write_table(table.cast(writer.schema))
    if writer:
        writer.close()


CONTENDERS: Final[dict[str, Callable[[Path], None]]] = {
    "jivsbench": run_jivsbench,
    "connectorx": run_connectorx,
    "adbc": run_adbc,
    "adbc-2": run_adbc_parallel,
    "polars": run_polars,
    "rivet": run_rivet,
    "dlt": run_dlt,
    "pandas": run_pandas,
    "limit": run_limit,
}

if __name__ == "__main__":
    CONTENDERS[sys.argv[1]](Path(sys.argv[2]))
