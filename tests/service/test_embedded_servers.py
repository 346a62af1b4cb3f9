"""Embedded servers: they start, answer, keep strangers out, and leave nothing behind, however their owner ends."""

import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from jivsbench.dataset import Dataset
from jivsbench.embedded import find_postgres_programs, find_valkey_program, paged_api, start_postgres, start_valkey
from jivsbench.embedded import postgres as postgres_module
from jivsbench.errors import EmbeddedServerError
from jivsbench_redis.cache import RedisCache
from tests.processes import is_gone


def test_postgres_answers_both_roles(embedded_postgres) -> None:
    """The owner may write, the reader may read and nothing else."""
    with psycopg.connect(embedded_postgres.owner_url.reveal(), autocommit=True) as owner:
        owner.execute("create table embedded_probe (a int); insert into embedded_probe values (1)")
        with psycopg.connect(embedded_postgres.reader_url.reveal(), autocommit=True) as reader:
            seen = reader.execute("select a from embedded_probe").fetchall()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute("insert into embedded_probe values (2)")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute("create temporary table leftover (a int)")
        version = owner.execute("show server_version_num").fetchone()
        owner.execute("drop table embedded_probe")

    assert seen == [(1,)]
    assert version is not None
    assert int(version[0]) >= 180000


@pytest.mark.parametrize("password", ["", "wrong"])
def test_postgres_refuses_strangers(embedded_postgres, password: str) -> None:
    """No role enters without its password, on the loopback address too."""
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://jivsbench:{password}@127.0.0.1:{embedded_postgres.port}/bench", connect_timeout=5)


def test_valkey_answers_and_refuses_strangers(embedded_valkey) -> None:
    """The URL's password opens it; nothing else does."""
    with redis.Redis.from_url(embedded_valkey.url.reveal(), protocol=2) as client:
        client.set("jivsbench:probe", b"1")
        kept = client.get("jivsbench:probe")
    with redis.Redis(port=embedded_valkey.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()

    assert kept == b"1"


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "CONFIG GET maxmemory", "EVAL 'return 1' 0", "KEYS *", "ACL LIST", "GET other", "SET other 1"]
)
def test_valkeys_user_may_do_no_more_than_a_service_needs(embedded_valkey, command: str) -> None:
    """Nothing that concerns the server, and no key outside the services' own."""
    with (
        redis.Redis.from_url(embedded_valkey.url.reveal(), protocol=2) as client,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        client.execute_command(*shlex.split(command))


def test_a_service_can_use_and_watch_the_cache_with_its_rights(embedded_valkey) -> None:
    """All that the cache does, the figures for a monitor, and the end of a SET that was given up."""
    client = RedisCache().open(embedded_valkey.url, "jivsbench:rights:", 5.0)
    client.set("a", b"1", 60)
    added, kept, activity = client.add("b", b"2", 60), client.get("a"), client.activity()
    forgotten = client.delete_prefix("")
    client.close()

    assert (added, kept, forgotten) == (True, b"1", 2)
    assert activity is not None
    assert client.statistics().errors == 0


def test_a_stock_valkey_refuses_nobody_anything() -> None:
    """What the positive control of the server's posture attacks."""
    with start_valkey(is_stock=True) as server, redis.Redis.from_url(server.url.reveal()) as client:
        assert client.flushall()


def test_servers_listen_on_loopback_only(embedded_postgres, embedded_valkey) -> None:
    """Both bind 127.0.0.1 and no other address."""
    for server in (embedded_postgres, embedded_valkey):
        found = psutil.Process(server.child.pid).net_connections(kind="inet")
        addresses = {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN}

        assert addresses == {"127.0.0.1"}


def test_no_password_in_the_process_list(embedded_postgres, embedded_valkey) -> None:
    """Neither argv nor the environment of a server holds its password."""
    secrets = [
        embedded_postgres.owner_url.reveal().split(":")[2].split("@")[0],
        embedded_valkey.url.reveal().split(":")[2].split("@")[0],
    ]
    for server in (embedded_postgres, embedded_valkey):
        process = psutil.Process(server.child.pid)
        seen = " ".join([*process.cmdline(), *process.environ().values()])

        assert len(secrets[0]) >= 24
        assert not any(secret in seen for secret in secrets)


def test_a_server_leaves_nothing_behind() -> None:
    """After the block there is no process, no port and no folder."""
    with start_postgres() as postgres, start_valkey() as valkey:
        folders = [postgres.log.parent, valkey.log.parent]
        modes = [stat.S_IMODE(folder.stat().st_mode) for folder in folders]
        servers = [postgres, valkey]

    assert modes == [0o700, 0o700]
    assert not any(folder.exists() for folder in folders)
    for server in servers:
        assert not server.child.is_alive
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a server that its parent died")
def test_servers_die_with_a_killed_parent() -> None:
    """A parent that is killed cannot clean up; its servers end all the same."""
    code = (
        "import sys, time\nfrom jivsbench.embedded import start_postgres, start_valkey\n"
        "with start_postgres() as p, start_valkey() as v:\n"
        "    print(p.child.pid, v.child.pid, p.log.parent, v.log.parent, flush=True)\n    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    line = parent.stdout.readline().split()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    try:
        assert is_gone(int(line[0]), 10.0)
        assert is_gone(int(line[1]), 10.0)
    finally:
        for folder in line[2:]:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root runs servers as another user")
def test_root_runs_postgres_as_another_user(embedded_postgres) -> None:
    """PostgreSQL refuses to run as root, so a system user runs it."""
    assert psutil.Process(embedded_postgres.child.pid).username() == "nobody"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root runs servers as another user")
def test_programs_in_a_closed_folder_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment under a folder that others cannot enter, as root's home is, still gives a server."""
    original = find_postgres_programs()
    site = original.parents[2]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(original.parents[1], closed / "embedded_postgres", symlinks=True)
    if (site / "embedded_postgres.libs").exists():
        shutil.copytree(site / "embedded_postgres.libs", closed / "embedded_postgres.libs", symlinks=True)
    programs = closed / "embedded_postgres" / "pginstall" / "bin"
    monkeypatch.setattr(postgres_module, "find_postgres_programs", lambda: programs)

    with start_postgres() as server, psycopg.connect(server.reader_url.reveal()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_missing_programs_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wheel and without server on the PATH, the message names the wheel and the option."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(EmbeddedServerError, match=r"pip install 'jivsbench\[embedded\]'.*--source-url"):
        find_postgres_programs()
    with pytest.raises(EmbeddedServerError, match=r"pip install 'jivsbench\[embedded\]'.*--cache-url"):
        find_valkey_program()


def test_programs_on_the_path_take_the_place_of_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the wheel is missing, a pg_ctl or a redis-server on the PATH is found."""
    for name in ("pg_ctl", "redis-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    assert find_postgres_programs() == tmp_path
    assert find_valkey_program() == tmp_path / "redis-server"


def test_a_step_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that stands still, the program is named, and not what it was told."""
    monkeypatch.setattr(postgres_module, "_SETUP_LIMIT_S", 0.2)

    with pytest.raises(EmbeddedServerError, match=r"sleep did not end within 0\.2 s") as caught:
        postgres_module._run(["/bin/sleep", "20"], "CREATE ROLE x PASSWORD 'S3cret'", None)
    assert "S3cret" not in str(caught.value)


def test_a_paged_api_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has as long as told for its rows; then it is ended."""
    monkeypatch.setattr(paged_api, "_READY_WITHIN_S", 0.01)

    with (
        pytest.raises(EmbeddedServerError, match="did not start"),
        paged_api.start_paged_api(Dataset(1_000), [10], tmp_path / "log"),
    ):
        pass
