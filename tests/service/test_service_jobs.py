"""The life of a job over HTTP, against a running service."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.extract.jobs.database import open_database
from jivsbench.model.profile import LEGACY, OPTIMIZED
from jivsbench.model.secret import Secret
from jivsbench.model.statistics import MissKind
from tests.service.service_bench import PLAIN, ROWS, WINDOW, Bench, build_spec, running
from tests.unit.jobs_stores import own_database

NOBODY = "00000000-0000-4000-8000-000000000000"


def run_one(bench: Bench) -> None:
    """One job from its creation to its statistics, with everything that a client may look at on the way."""
    created = bench.call("POST", "/extractions", {"source": "main", "table": "bench_rows", "filters": WINDOW})
    job_id = created.body["id"]
    assert (created.status, created.body["state"], created.body["rows_read"]) == (201, "PENDING", None)
    assert bench.call("GET", f"/extractions/{job_id}/statistics").slug == "job-state"

    started = bench.call("POST", f"/extractions/{job_id}/start")
    assert (started.status, started.body["id"]) == (202, job_id)
    job = bench.wait(job_id)
    assert (job["state"], job["error"]) == ("COMPLETED", None), job
    assert (job["rows_read"], job["rows_written"], job["output"], job["source"]) == (1000, 1000, job_id, "main")
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    assert bench.call("GET", f"/extractions/{job_id}").body == job

    statistics = bench.call("GET", f"/extractions/{job_id}/statistics").body
    assert [statistics[name] for name in ("rows_read", "rows_written", "rows_in_source")] == [1000] * 3
    assert statistics["rows_per_s"] == pytest.approx(1000 / statistics["duration_ms"] * 1000)
    assert sum(file["row_count"] for file in statistics["files"]) == 1000
    assert {phase["phase"] for phase in statistics["phases"]} >= {"guard", "pool_wait", "execute", "fetch", "encode", "write"}
    files = [bench.output_dir / job["output"] / file["name"] for file in statistics["files"]]
    assert sorted(value for file in files for value in pq.read_table(file)["id"].to_pylist()) == list(range(101, 1101))
    entries = bench.call("GET", f"/extractions/{job_id}/logs").body["entries"]
    assert [entry["message"].split(" ")[0].rstrip(":") for entry in entries] == ["created", "started", "completed"]


def test_a_job_over_postgres(bench: Bench) -> None:
    """Every step of a job on PostgreSQL; the file holds exactly the rows that were asked for."""
    run_one(bench)


def test_a_job_over_sqlite(shop_file: str, tmp_path: Path) -> None:
    """The same on a SQLite file."""
    with running(build_spec(shop_file, tmp_path / "out", connector="sqlite"), tmp_path) as bench:
        run_one(bench)


def test_a_job_with_the_legacy_profile(shop_url: str, tmp_path: Path) -> None:
    """The same without any optimisation; the profile says so."""
    with running(build_spec(shop_url, tmp_path / "out", profile=LEGACY), tmp_path) as bench:
        run_one(bench)
        profile = bench.call("GET", "/profile").body

    assert (profile["name"], profile["switches"]["cache"], profile["switches"]["join_fetch"]) == ("legacy", False, False)


def test_a_shared_cache_is_read_after_a_restart(shop_url: str, embedded_valkey_url: str, tmp_path: Path) -> None:
    """Its entries are sealed with the key in the output folder, so the second service misses nothing that the first left."""
    spec = build_spec(shop_url, tmp_path / "out", profile=replace(PLAIN, cache="redis"), cache_url=embedded_valkey_url)
    spec = replace(spec, disabled_plugins=("builtin", "security", "sqlite"))
    with running(spec, tmp_path) as bench:
        run_one(bench)
    with running(spec, tmp_path) as bench:
        run_one(bench)
        metrics = read_metrics(bench)

    misses = {kind: metrics[f'jivsbench_cache_misses_total{{kind="{kind.value}"}}'] for kind in MissKind}
    assert misses == dict.fromkeys(MissKind, 0) | {MissKind.ABSENT: misses[MissKind.ABSENT]}
    assert metrics['jivsbench_cache_lookups_total{result="hit"}'] > 0


def test_a_job_whose_store_is_postgres(shop_url: str, embedded_postgres_url: str, tmp_path: Path) -> None:
    """The same with the job store on a server; nothing is kept in the output folder but outputs."""
    with own_database(embedded_postgres_url) as store_url:
        with running(build_spec(shop_url, tmp_path / "out", metadata_url=store_url), tmp_path) as bench:
            run_one(bench)
        store = open_database(Secret(store_url), tmp_path, OPTIMIZED.metadata)
        with store.reading() as connection:
            assert connection.exec_driver_sql("SELECT state FROM jobs").scalars().all() == ["COMPLETED"]
        store.close()
    assert not (tmp_path / "out" / ".jobs").exists()


def test_a_long_poll_is_woken_by_the_end(bench: Bench) -> None:
    """The answer is there within 100 ms of the end, as the job itself dates it."""
    delays_s = []
    for _ in range(5):
        job_id = bench.start(filters=WINDOW)
        job = bench.wait(job_id)
        delays_s.append((datetime.now(UTC) - datetime.fromisoformat(job["finished_at"])).total_seconds())

    assert job["state"] == "COMPLETED"
    # The machine may be busy with something else once or twice; a service that polls would be late every time.
    assert sorted(delays_s)[2] < 0.1


def test_a_long_poll_ends_with_its_time(bench: Bench) -> None:
    """A job that nobody starts is answered as it is when the time is up."""
    job_id = bench.create()
    started_s = time.monotonic()
    job = bench.wait(job_id, 0.3)

    assert job["state"] == "PENDING"
    assert 0.3 <= time.monotonic() - started_s < 2.0


def test_every_long_poll_of_a_job_is_answered(bench: Bench, shop_url: str) -> None:
    """Ten clients wait for one job: all of them hear of its end, and others are served meanwhile."""
    with psycopg.connect(shop_url) as blocker:
        blocker.execute("LOCK TABLE bench_rows")
        job_id, answers = bench.start(), []
        clients = [threading.Thread(target=lambda: answers.append(bench.wait(job_id)["state"])) for _ in range(10)]
        for client in clients:
            client.start()
        time.sleep(0.3)
        started_s = time.monotonic()
        assert bench.call("GET", "//health").status == 200
        assert time.monotonic() - started_s < 5
        assert answers == []
        blocker.rollback()
        for client in clients:
            client.join(10)

    assert answers == ["COMPLETED"] * 10


def test_a_stopped_job_ends_its_query(bench: Bench, shop_url: str) -> None:
    """Its query ends on the server within a second and a half, the job is CANCELLED, no file is left."""
    with psycopg.connect(shop_url, autocommit=True) as watcher, psycopg.connect(shop_url) as blocker:
        blocker.execute("LOCK TABLE bench_rows")
        job_id = bench.start()
        bench.wait_for_state(job_id, "RUNNING")
        started_s = time.monotonic()
        assert bench.call("POST", f"/extractions/{job_id}/stop").status == 202
        job = bench.wait(job_id)

        assert time.monotonic() - started_s < 1.5
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        assert watcher.execute(waiting).fetchone() == (0,)
    assert (job["state"], job["error"]["slug"]) == ("CANCELLED", "cancelled")
    assert not (bench.output_dir / job_id).exists()
    assert bench.call("POST", f"/extractions/{job_id}/stop").slug == "job-state"


def test_a_job_that_waits_is_stopped_at_once(bench: Bench) -> None:
    """A job that was created and never started is CANCELLED and cannot be started any more."""
    job_id = bench.create()

    assert bench.call("POST", f"/extractions/{job_id}/stop").body["state"] == "CANCELLED"
    assert bench.call("POST", f"/extractions/{job_id}/start").slug == "job-state"


def test_jobs_are_listed_by_pages_and_state(bench: Bench) -> None:
    """Newest first; each page as large as asked for; the total counts all."""
    newest = [bench.create() for _ in range(5)]
    found = bench.call("GET", "/extractions?status=PENDING&page=1&size=2").body
    second = bench.call("GET", "/extractions?status=PENDING&page=2&size=2").body

    assert [job["id"] for job in (*found["items"], *second["items"])] == newest[:0:-1]
    assert (found["page"], found["size"], found["total"]) == (1, 2, second["total"])
    assert {job["state"] for job in bench.call("GET", "/extractions?size=200").body["items"]} >= {"PENDING"}


def test_what_the_source_refuses_fails_the_job(bench: Bench) -> None:
    """A table that does not exist: FAILED, with the table's name and nothing else in it; the service goes on."""
    job = bench.wait(bench.start(table="no_such_table"))

    assert (job["state"], job["error"]["slug"]) == ("FAILED", "missing-object")
    assert "no_such_table" in job["error"]["message"]
    entries = bench.call("GET", f"/extractions/{job['id']}/logs").body["entries"]
    assert entries[-1]["level"] == "ERROR"
    assert bench.wait(bench.start())["rows_written"] == ROWS


@pytest.mark.no_cover
def test_ten_clients_lose_no_row(shop_url: str, tmp_path: Path) -> None:
    """10 clients x 20 jobs at the same time: each is created, started, completed once, and every row is accounted for."""
    with running(build_spec(shop_url, tmp_path / "out"), tmp_path) as bench:
        jobs: list[dict[str, object]] = []

        def work() -> None:
            jobs.extend(bench.wait(bench.start(filters=WINDOW)) for _ in range(20))

        clients = [threading.Thread(target=work) for _ in range(10)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        metrics = read_metrics(bench)

    assert len({job["id"] for job in jobs}) == 200
    assert {(job["state"], job["rows_read"], job["rows_written"]) for job in jobs} == {("COMPLETED", 1000, 1000)}
    assert metrics['jivsbench_rows_total{direction="written"}'] == 200_000
    for state in ("PENDING", "RUNNING", "COMPLETED"):
        assert metrics[f'jivsbench_jobs_total{{state="{state}"}}'] == 200
    assert metrics["jivsbench_extraction_seconds_count"] == 200
    assert metrics['jivsbench_pool_connections{source="main",state="active"}'] == 0
    hits, misses = (metrics[f'jivsbench_cache_lookups_total{{result="{result}"}}'] for result in ("hit", "miss"))
    assert hits / (hits + misses) > 0.9


@pytest.mark.no_cover
def test_a_full_queue_says_when_to_come_back(shop_url: str, tmp_path: Path) -> None:
    """503 with Retry-After and slug queue-full; nothing is lost, the refused job can be started later."""
    profile = replace(PLAIN, job_workers=1, queue_limit=1)
    with (
        running(build_spec(shop_url, tmp_path / "out", profile=profile), tmp_path) as bench,
        psycopg.connect(shop_url) as blocker,
    ):
        blocker.execute("LOCK TABLE bench_rows")
        first = bench.start()
        bench.wait_for_state(first, "RUNNING")
        second, refused = bench.start(), bench.create()
        answer = bench.call("POST", f"/extractions/{refused}/start")
        blocker.rollback()

        assert (answer.status, answer.slug, answer.headers["retry-after"]) == (503, "queue-full", "1")
        assert [bench.wait(job_id)["state"] for job_id in (first, second)] == ["COMPLETED"] * 2
        assert bench.call("POST", f"/extractions/{refused}/start").status == 202
        assert bench.wait(refused)["state"] == "COMPLETED"


def read_metrics(bench: Bench) -> dict[str, float]:
    """Every sample of GET /metrics."""
    lines = bench.call("GET", "//metrics").body.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line and line[0] != "#")}


def test_a_request_names_its_format_and_its_transforms(shop_file: str, tmp_path: Path) -> None:
    """CSV with a masked column and fewer rows: COMPLETED, since every row that was read is either written or filtered."""
    spec = replace(build_spec(shop_file, tmp_path / "out", connector="sqlite"), mask_key="d1a0f5b6c37e48920f6d3b71ce5a8294d07be6")
    transforms = [
        {"kind": "mask", "column": "email", "how": "digest"},
        {"kind": "filter", "column": "id", "operator": "<=", "values": [600]},
        {"kind": "keep", "columns": ["id", "email"]},
    ]
    with running(spec, tmp_path) as bench:
        job_id = bench.start(filters=WINDOW, format="csv", transforms=transforms)
        job = bench.wait(job_id)
        statistics = bench.call("GET", f"/extractions/{job_id}/statistics").body
        misspelt = bench.wait(bench.start(transforms=[{"kind": "drop", "columns": ["emial"]}]))
        refused = bench.call("POST", "/extractions", {"source": "main", "table": "bench_rows", "transforms": [{"kind": "drop"}]})

    assert (job["state"], job["error"]) == ("COMPLETED", None), job
    assert [statistics[f"rows_{name}"] for name in ("in_source", "read", "filtered", "written")] == [1000, 1000, 500, 500]
    (file,) = statistics["files"]
    assert file["name"] == "part-00000.csv.zst"
    with pa.input_stream(tmp_path / "out" / job["output"] / file["name"], compression="zstd") as stream:
        header, *rows = stream.read().decode().splitlines()
    assert header == '"id","email"'
    assert len(rows) == 500
    assert not any("@" in row for row in rows)
    assert (misspelt["state"], misspelt["error"]["slug"]) == ("FAILED", "unknown-name")
    assert (refused.status, refused.slug) == (422, "validation")
