"""`jivsbench extract` that is ended and called again, and called once a day for what is new."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import Ended, run, start

from jivsbench.exitcodes import ExitCode

ROWS = 12_000
RESUMED = ("extract", "main", "part_rows", "--to", "out", "--resume", "--partition-rows", "1000", "--streams", "2")


@pytest.fixture
def parts_url(embedded_postgres_url: str) -> Iterator[str]:
    """A table of twelve parts."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS part_rows")
        connection.execute("CREATE TABLE part_rows (id int PRIMARY KEY, name text, changed timestamptz NOT NULL DEFAULT now())")
        # Not to be compressed away: a full disk has to be filled by few rows.
        connection.execute(
            f"INSERT INTO part_rows SELECT g, md5(g::text) || md5('a' || g) || md5('b' || g) FROM generate_series(1, {ROWS}) g"
        )
        yield embedded_postgres_url
        connection.execute("DROP TABLE part_rows")


def read_ids(folder: Path) -> list[int]:
    """Keys of every row that lies there, in order."""
    rows = pa.concat_tables(pq.read_table(file) for file in folder.glob("part-*.parquet"))
    return sorted(rows["id"].to_pylist())


def interrupt(url: str, folder: Path, number: signal.Signals) -> tuple[subprocess.Popen[str], float]:
    """Start, wait until some files are committed, and send a signal. The process, and when it was sent."""
    process = start(*RESUMED, cwd=folder, JIVSBENCH_SOURCE_URL=url)
    give_up_at_s = time.monotonic() + 60
    while len(list((folder / "out").glob("part-*.parquet"))) < 2 and time.monotonic() < give_up_at_s:
        time.sleep(0.001)
    process.send_signal(number)
    return process, time.monotonic()


def count_queries(url: str) -> int:
    """Sessions that read the table at this moment."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%%part_rows%%' AND state = 'active' "
            "AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def go_on(url: str, folder: Path) -> Ended:
    """The same command again."""
    return run(*RESUMED, "--json", cwd=folder, JIVSBENCH_SOURCE_URL=url)


@pytest.mark.no_cover
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.nightly)])
def test_an_ended_command_goes_on_when_it_is_called_again(parts_url: str, tmp_path: Path, number: signal.Signals) -> None:
    """Committed files are kept, every row comes once, and once more finds everything done."""
    process, sent_at_s = interrupt(parts_url, tmp_path, number)
    _, stderr = process.communicate(timeout=30)
    while count_queries(parts_url):
        assert time.monotonic() - sent_at_s < 5
    kept = len(list((tmp_path / "out").glob("part-*.parquet")))
    again = go_on(parts_url, tmp_path)
    once_more = go_on(parts_url, tmp_path)

    assert again.status == once_more.status == ExitCode.PASSED, again.stderr
    assert read_ids(tmp_path / "out") == list(range(1, ROWS + 1))
    assert json.loads(once_more.stdout)["kept_partitions"] == 12
    if process.returncode:
        # Of each stream one file can have its name and not be noted yet.
        assert kept - 2 <= json.loads(again.stdout)["kept_partitions"] <= kept
    if process.returncode in {ExitCode.INTERRUPTED, ExitCode.TERMINATED}:
        assert "the same command goes on from there" in stderr


Resize = Callable[[str], None]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A file system that is too small, and a way to make it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system; a disk that fails is tested without one too")
    yield folder, lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.no_cover
def test_a_full_disk_is_resumed_when_there_is_room(parts_url: str, small_disk: tuple[Path, Resize]) -> None:
    """A clear outcome, no manifest and no half-written file; then the rest."""
    folder, resize = small_disk
    full = go_on(parts_url, folder)
    left = {path.name.split(".", 1)[1] for path in (folder / "out").iterdir()}
    resize("16m")
    again = go_on(parts_url, folder)

    assert full.status == ExitCode.ENVIRONMENT, full.stderr
    assert "No space left on device" in full.error
    assert left == {"parquet", "log"}
    assert again.status == ExitCode.PASSED, again.stderr
    assert json.loads(again.stdout)["kept_partitions"] > 0
    assert read_ids(folder / "out") == list(range(1, ROWS + 1))


@pytest.mark.no_cover
def test_increments_follow_one_another(parts_url: str, tmp_path: Path) -> None:
    """Each run in a folder of its own, one state file; what does not go together is said."""
    increment = ("extract", "main", "part_rows", "--incremental", "changed", "--state", "state", "--json")
    first = run(*increment, "--to", "day1", cwd=tmp_path, JIVSBENCH_SOURCE_URL=parts_url)
    with psycopg.connect(parts_url, autocommit=True) as connection:
        connection.execute("UPDATE part_rows SET changed = now() - interval '1 hour' WHERE id > 10")
        connection.execute("INSERT INTO part_rows (id, name) VALUES (0, 'new')")
    second = run(*increment, "--to", "day2", cwd=tmp_path, JIVSBENCH_SOURCE_URL=parts_url)
    wrong = [
        run("extract", "main", "part_rows", "--to", "x", *words, cwd=tmp_path, JIVSBENCH_SOURCE_URL=parts_url)
        for words in (("--incremental", "changed"), ("--full",), (*increment[3:7], "--resume"))
    ]

    assert (first.status, second.status) == (ExitCode.PASSED, ExitCode.PASSED), first.stderr + second.stderr
    assert [json.loads(ended.stdout)["increment"] for ended in (first, second)] == ["FULL", "INCREMENTAL"]
    assert 0 in read_ids(tmp_path / "day2")
    assert len(read_ids(tmp_path / "day2")) <= 11
    assert [ended.status for ended in wrong] == [ExitCode.USAGE] * 3
