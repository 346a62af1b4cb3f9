"""How a service starts, ends, and comes back after a crash."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
import urllib3

from jivsbench.errors import (
    CacheUnreachableError,
    EnvironmentProblem,
    NoGuardError,
    OutputError,
    PortInUseError,
    UnknownNameError,
)
from jivsbench.service.launcher import start_service
from jivsbench.service.spec import SourceSpec, format_spec, parse_spec
from tests.service.service_bench import OTHERS, PLAIN, TOKENS, build_spec, running

# A service is started for each test, and starts twice as fast untraced; what it runs is covered by the other tests of it.
pytestmark = pytest.mark.no_cover

NOWHERE = "postgresql://u:S3cret@127.0.0.1:1/x"
ENDLESS = "SELECT count(*) FROM bench_rows a, bench_rows b, bench_rows c"
FOREGROUND = """
import sys
from jivsbench.service.server import serve
from jivsbench.service.spec import parse_spec
serve(parse_spec(sys.stdin.readline()), lambda url: print(url, flush=True))
"""
NO_GUARD = (*OTHERS["postgres"], "sqlguard")


def test_a_spec_survives_its_way_and_is_not_printed(tmp_path: Path) -> None:
    """What the child reads is what the parent wrote; repr shows neither URL nor token."""
    spec = build_spec(NOWHERE, tmp_path, cache_url="redis://:S3cret@h", metadata_url="postgresql://u:S3cret@h/d")

    assert parse_spec(format_spec(spec)) == spec
    assert "S3cret" not in repr(spec)
    assert not [token for token in TOKENS.values() if token in repr(spec)]


def test_a_missing_guard_stops_the_start(tmp_path: Path) -> None:
    """Without a guard nothing listens; the parent gets the child's error."""
    with pytest.raises(NoGuardError):
        start_service(build_spec(NOWHERE, tmp_path / "out", disabled_plugins=NO_GUARD), tmp_path / "log")


def test_no_guards_in_so_many_words_starts(tmp_path: Path) -> None:
    """`guards = []` starts, and the profile says that none is in force."""
    spec = build_spec(NOWHERE, tmp_path / "out", profile=replace(PLAIN, guards=()), disabled_plugins=NO_GUARD)
    with running(spec, tmp_path) as bench:
        assert bench.call("GET", "/profile").body["guards"] == []
        assert bench.call("POST", "/extractions", {"source": "main", "query": "DROP TABLE x"}).status == 201


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """The parent gets PortInUseError with the port in it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=str(port)):
            start_service(build_spec(NOWHERE, tmp_path / "out", port=port), tmp_path / "log")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"sources": (SourceSpec("main", "oracle", NOWHERE),)}, UnknownNameError),
        ({"profile": replace(PLAIN, guards=("no-such-guard",))}, UnknownNameError),
        ({"profile": replace(PLAIN, cache="no-such-cache")}, UnknownNameError),
        ({"output_dir": "/proc/nowhere"}, OutputError),
        ({"metadata_url": "postgresql://u:S3cret@127.0.0.1:1/x?connect_timeout=1"}, EnvironmentProblem),
        ({"host": "192.0.2.1"}, EnvironmentProblem),
    ],
)
def test_whatever_is_missing_is_said_at_the_start(tmp_path: Path, changes, error) -> None:
    """The error of the child comes up in the parent by its class, without a secret."""
    with pytest.raises(error) as caught:
        start_service(replace(build_spec(NOWHERE, tmp_path / "out"), **changes), tmp_path / "log")

    assert "S3cret" not in str(caught.value) + (tmp_path / "log").read_text()


def test_a_cache_that_is_gone_stops_the_start(tmp_path: Path) -> None:
    """A cache that was named has to answer when the service starts."""
    disabled = tuple(name for name in OTHERS["postgres"] if name != "redis")
    spec = build_spec(
        NOWHERE, tmp_path / "out", cache_url="redis://127.0.0.1:1", profile=replace(PLAIN, cache=None), disabled_plugins=disabled
    )

    with pytest.raises(CacheUnreachableError):
        start_service(spec, tmp_path / "log")


def test_an_admin_token_is_made_when_none_is_given(tmp_path: Path) -> None:
    """A spec without tokens gets one of role ADMIN, which is not printed."""
    with start_service(build_spec(NOWHERE, tmp_path / "out", tokens=()), tmp_path / "log") as service:
        headers = {"Authorization": f"Bearer {service.admin_token}"}
        answer = urllib3.request("GET", f"{service.base_url}/api/v1/data-sources", headers=headers)

        assert answer.status == 200
        assert len(service.admin_token) > 32
        assert service.admin_token not in repr(service)


@pytest.mark.parametrize("how", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.nightly), "stdin"], ids=str)
def test_a_service_ends_within_five_seconds(shop_url: str, tmp_path: Path, how) -> None:
    """With a job that would run on and a client that waits: the client is answered, the job CANCELLED, the query gone."""
    spec = build_spec(shop_url, tmp_path / "out")
    with psycopg.connect(shop_url, autocommit=True) as watcher:
        with running(spec, tmp_path) as bench:
            job_id, answers = bench.start(table=None, query=ENDLESS), []
            bench.wait_for_state(job_id, "RUNNING")
            client = threading.Thread(target=lambda: answers.append(bench.call("GET", f"/extractions/{job_id}?wait_s=30").status))
            client.start()
            time.sleep(0.2)
            started_s = time.monotonic()
            if how == "stdin":
                bench.service._child.process.stdin.close()
            else:
                os.kill(bench.service.pid, how)
            assert bench.service._child.process.wait(6) == 0
            assert time.monotonic() - started_s < 5.0
            client.join(5)
        active = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%bench_rows c%' AND pid <> pg_backend_pid()"
        assert watcher.execute(active).fetchone() == (0,)
    assert answers == [200]

    with running(spec, tmp_path) as again:
        job = again.call("GET", f"/extractions/{job_id}").body
    assert (job["state"], job["error"]["slug"]) == ("CANCELLED", "cancelled")


def test_a_job_that_can_end_is_waited_for(shop_url: str, tmp_path: Path) -> None:
    """A job that needs another second when the service is told to end completes."""
    spec = build_spec(shop_url, tmp_path / "out")
    with psycopg.connect(shop_url) as blocker, running(spec, tmp_path) as bench:
        blocker.execute("LOCK TABLE bench_rows")
        job_id = bench.start()
        bench.wait_for_state(job_id, "RUNNING")
        os.kill(bench.service.pid, signal.SIGTERM)
        time.sleep(0.5)
        blocker.rollback()
        bench.service._child.process.wait(6)

    with running(spec, tmp_path) as again:
        assert again.call("GET", f"/extractions/{job_id}").body["state"] == "COMPLETED"


def test_a_crash_fails_what_ran_and_keeps_what_waits(shop_url: str, tmp_path: Path) -> None:
    """Killed with a job under way: at the next start that job is FAILED with a reason, a PENDING one can be started."""
    spec = build_spec(shop_url, tmp_path / "out")
    with psycopg.connect(shop_url) as blocker:
        blocker.execute("LOCK TABLE bench_rows")
        with running(spec, tmp_path) as bench:
            crashed, pending = bench.start(), bench.create()
            bench.wait_for_state(crashed, "RUNNING")
            # The store hears of it with the next changes, a twentieth of a second later at most.
            time.sleep(0.5)
            os.kill(bench.service.pid, signal.SIGKILL)
            bench.service._child.process.wait(5)
    with running(spec, tmp_path) as again:
        job = again.call("GET", f"/extractions/{crashed}").body
        assert (job["state"], job["error"]["slug"]) == ("FAILED", "service-restarted")
        assert again.call("POST", f"/extractions/{crashed}/start").slug == "job-state"
        assert again.call("POST", f"/extractions/{pending}/start").status == 202
        assert again.wait(pending)["state"] == "COMPLETED"


def test_two_services_never_share_an_output_folder(shop_url: str, tmp_path: Path) -> None:
    """Jobs belong to a folder, and each would fail what the other runs: the second one says so and does not start."""
    spec = build_spec(shop_url, tmp_path / "out")
    with running(spec, tmp_path) as bench:
        with pytest.raises(EnvironmentProblem, match="another service writes"):
            start_service(spec, tmp_path / "second.log")
        assert bench.wait(bench.start())["state"] == "COMPLETED"
    with running(spec, tmp_path) as again:
        assert again.wait(again.start())["state"] == "COMPLETED"


def test_a_service_ends_with_its_parent(tmp_path: Path) -> None:
    """The parent is killed: the child is gone within five seconds."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from jivsbench.service.launcher import start_service\n"
        "from jivsbench.service.spec import parse_spec\n"
        "print(start_service(parse_spec(sys.stdin.readline()), Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        parent.stdin.write(format_spec(build_spec(NOWHERE, tmp_path / "out")) + "\n")
        parent.stdin.flush()
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        gone, alive = psutil.wait_procs([child], timeout=5)

    assert (len(gone), alive) == (1, [])


def test_what_a_plugin_prints_does_not_disturb_the_answer(tmp_path: Path) -> None:
    """Output of the child's own goes to the log; the one line on its standard output is the answer."""
    module = tmp_path / "noisy_plugin.py"
    module.write_text("print('noise from a plugin')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    spec = build_spec(NOWHERE, tmp_path / "out", plugins=("noisy_plugin",))
    with (tmp_path / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "jivsbench.service"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        )
        child.stdin.write(format_spec(spec).encode() + b"\n")
        child.stdin.flush()
        answer = json.loads(child.stdout.readline())
        rest, _ = child.communicate(timeout=10)

    assert set(answer) == {"base_url", "pid"}, answer
    assert rest == b""
    assert "noise from a plugin" in (tmp_path / "log").read_text()


def test_the_log_is_lines_of_json(shop_url: str, tmp_path: Path) -> None:
    """Control characters in what clients send cannot forge a line; a refused attack is logged with who and what."""
    with running(build_spec(shop_url, tmp_path / "out"), tmp_path) as bench:
        bench.call("GET", "/a%0A%7B%22level%22%3A%22FORGED%22%7D%1B%5B31m%E2%80%AE", role=None)
        bench.call("POST", "/extractions", {"source": "main", "query": "DROP TABLE x"})
        bench.wait(bench.start(table="no_such_table"))
    lines = bench.log.read_text().splitlines()
    entries = [json.loads(line) for line in lines]

    assert all({"at", "level", "logger", "message"} <= set(entry) for entry in entries)
    assert not [entry for entry in entries if entry["level"] == "FORGED"]
    assert all(line.isprintable() and line.isascii() for line in lines)
    refusal = next(entry for entry in entries if entry["message"] == "a guard refused a request")
    assert (refusal["role"], "DROP TABLE x" in str(refusal)) == ("ADMIN", False)
    assert refusal["correlation_id"]


def test_a_service_can_run_in_the_foreground(tmp_path: Path) -> None:
    """`serve` in the foreground: it says where it listens, and ends when it is told to."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            FOREGROUND,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        process.stdin.write(format_spec(build_spec(NOWHERE, tmp_path / "out")) + "\n")
        process.stdin.flush()
        base_url = process.stdout.readline().strip()
        assert urllib3.request("GET", f"{base_url}/health").status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(6) == 0


def test_a_server_that_is_stopped_first_never_serves(shop_url: str, tmp_path: Path) -> None:
    """The parent went away while the child was still starting: it ends instead of listening."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jivsbench.service"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    answer, _ = process.communicate(format_spec(build_spec(shop_url, tmp_path / "out")).encode() + b"\n", timeout=30)

    assert process.returncode == 0
    assert answer == b""
