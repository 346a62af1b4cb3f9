"""What a user does wrong gets one line that says what was asked, what was found and what to do - and the right exit code."""

import json
import resource
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from command import clean_environment, run

from jivsbench.exitcodes import ExitCode

PASSWORD = "S3cr3t-p4ssw0rd"
OURS = secrets.token_hex(8)
"""In the environment of whatever is started here: services of other tests, or of somebody who works here, are none of ours."""


@pytest.fixture(autouse=True, scope="module")
def _named() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STARTED_BY", OURS)
        yield


def _services() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "jivsbench.service" in process.cmdline() and process.environ().get("STARTED_BY") == OURS:
                found.append(process)
    return found


def _write(folder: Path, text: str) -> Path:
    path = folder / "jivsbench.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("rum",), ("no command is called 'rum'", "run")),
        (("run", "basline"), ("no scenario is called 'basline'", "did you mean 'baseline'?")),
        (("run", "baseline", "--profile", "optimised"), ("no profile is called 'optimised'", "did you mean 'optimized'?")),
        (("run", "baseline", "--time-scal", "0.1"), ("--time-scal", "--time-scale")),
        (("run", "baseline", "--time-scale", "0"), ("0", "time")),
        (("run", "baseline", "--data", "100kk"), ("no data size is called '100kk'", "100k")),
        (("check", "--only", "SEC-01"), ("no security check is called 'SEC-01'", "SEC-001")),
        (("extract", "mian", "t", "--to", "x"), ("no source is called 'mian'",)),
        (("extract", "oracle://h/db", "t", "--to", "x"), ("oracle",)),
        (("data", "load"), ("--source-url", "JIVSBENCH_SOURCE_URL")),
        (("gate", "no-such-run"), ("no-such-run",)),
        (("report", "latest"), ("latest",)),
        (("--config", "missing.toml", "plugins"), ("missing.toml",)),
    ],
)
@pytest.mark.no_cover
def test_a_wrong_word_is_named_with_the_nearest_right_one(tmp_path: Path, args: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Unknown names and impossible values end with exit code 2, before any server starts."""
    ended = run(*args, cwd=tmp_path)

    assert ended.status == ExitCode.USAGE, ended.stderr
    for word in words:
        assert word in ended.error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[source\nurl = 'x'\n", ("jivsbench.toml:1",)),
        ('[source]\nulr = "postgresql://h/db"\n', ("jivsbench.toml", "ulr", "url")),
        ("[source]\nurl = 5\n", ("jivsbench.toml", "url")),
        ('[profiles.mine]\nbase = "optimized"\nstreams = "four"\n', ("jivsbench.toml", "streams")),
        ('[profiles.mine]\nbase = "optimised"\n', ("jivsbench.toml", "optimised", "optimized")),
    ],
)
def test_a_malformed_file_is_named_with_line_and_key(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """A configuration that does not parse is named with its place; exit code 2."""
    _write(tmp_path, text)
    ended = run("plugins", cwd=tmp_path)

    assert ended.status == ExitCode.USAGE, ended.stderr
    for word in words:
        assert word in ended.error


def test_a_gate_on_a_metric_that_the_scenario_lacks_is_refused_before_any_load(tmp_path: Path) -> None:
    """The message names the gate and the nearest metric; nothing was started."""
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    scenarios.joinpath("mine.toml").write_text(
        'name = "mine"\ntitle = "t"\ngates = ["upload.response p95 < 5 ms"]\n'
        '[workload]\nname = "extraction"\ntable = "bench_rows"\nrows = 10\n[[stages]]\nduration = "1s"\nusers = 1\n'
    )
    ended = run("run", "mine", cwd=tmp_path)

    assert ended.status == ExitCode.USAGE, ended.stderr
    assert "upload.response" in ended.error
    assert not (tmp_path / "reports").exists()


def _source_cases(port: int) -> list[tuple[str, tuple[str, ...]]]:
    return [
        (f"postgresql://ann:{PASSWORD}@127.0.0.1:1/db", ("127.0.0.1:1",)),
        (f"postgresql://jivsbench:{PASSWORD}@127.0.0.1:{port}/bench", (f"127.0.0.1:{port}",)),
        (f"postgresql://ann:{PASSWORD}@no-such-host.invalid/db", ("no-such-host.invalid",)),
        (f"sqlite:///no/such/{PASSWORD[:3]}.db", ("no/such",)),
    ]


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("command", [("run", "baseline"), ("data", "load", "1k"), ("extract", "main", "t", "--to", "out")])
@pytest.mark.no_cover
def test_a_source_that_cannot_be_opened(tmp_path: Path, embedded_postgres, case: int, command: tuple[str, ...]) -> None:
    """Unreachable, wrong password, no such host, no such file: exit code 5 within the timeout, no part of the password."""
    url, words = _source_cases(embedded_postgres.port)[case]
    started_s = time.monotonic()
    ended = run(*command, cwd=tmp_path, JIVSBENCH_SOURCE_URL=url)

    assert ended.status == ExitCode.ENVIRONMENT, ended.stderr
    for word in words:
        assert word in ended.error
    assert time.monotonic() - started_s < 20
    seen = ended.stdout + ended.stderr
    assert not any(PASSWORD[i : i + 6] in seen for i in range(len(PASSWORD) - 5))


def test_a_missing_database_and_a_missing_table_are_named(tmp_path: Path, embedded_postgres_url: str) -> None:
    """Each is named, with what to do; exit code 5."""
    other = embedded_postgres_url.rpartition("/")[0] + "/no_such_database"
    database = run("run", "baseline", cwd=tmp_path, JIVSBENCH_SOURCE_URL=other)
    table = run("extract", "main", "no_such_table", "--to", "out", cwd=tmp_path, JIVSBENCH_SOURCE_URL=embedded_postgres_url)

    assert (database.status, table.status) == (ExitCode.ENVIRONMENT, ExitCode.ENVIRONMENT)
    assert "no_such_database" in database.error
    assert "no_such_table" in table.error
    assert not (tmp_path / "out").exists()


def test_a_cache_that_does_not_answer_is_named(tmp_path: Path, embedded_postgres_url: str) -> None:
    """A named cache that is down is not silently replaced; exit code 5, no part of its password."""
    ended = run(
        "doctor",
        cwd=tmp_path,
        JIVSBENCH_CACHE_URL=f"redis://:{PASSWORD}@127.0.0.1:1/0",
        JIVSBENCH_SOURCE_URL=embedded_postgres_url,
    )

    assert ended.status == ExitCode.ENVIRONMENT, ended.stderr
    assert "127.0.0.1:1" in ended.stdout
    assert PASSWORD not in ended.stdout + ended.stderr


def test_two_plugins_that_offer_one_name_are_both_named(tmp_path: Path) -> None:
    """A second connector called `sqlite` is refused with both plugins in the message; exit code 5."""
    (tmp_path / "acme_sqlite.py").write_text(
        "import jivsbench_sqlite\nfrom jivsbench.api import hookimpl\n"
        "@hookimpl\ndef jivsbench_register_connectors():\n    return jivsbench_sqlite.jivsbench_register_connectors()\n"
    )
    _write(tmp_path, '[plugins]\nmodules = ["acme_sqlite"]\n')
    ended = run("plugins", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    assert ended.status == ExitCode.ENVIRONMENT, ended.stderr
    assert "acme_sqlite" in ended.error
    assert "jivsbench-sqlite" in ended.error
    assert "JIVSBENCH_DISABLE_PLUGINS" in ended.error


def test_a_plugin_that_raises_at_load_is_named(tmp_path: Path) -> None:
    """The plugin and its exception's class are named, its text is not repeated; exit code 5."""
    (tmp_path / "broken_plugin.py").write_text(f"raise RuntimeError({PASSWORD!r})\n")
    _write(tmp_path, '[plugins]\nmodules = ["broken_plugin"]\n')
    ended = run("plugins", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    assert ended.status == ExitCode.ENVIRONMENT, ended.stderr
    assert "broken_plugin" in ended.error
    assert "RuntimeError" in ended.error
    assert PASSWORD not in ended.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, loaded_source: str) -> None:
    """A reports folder below a file cannot be made: exit code 5, and what to do."""
    (tmp_path / "file").write_text("")
    ended = run(
        "run",
        "baseline",
        "--reports-dir",
        "file/reports",
        "--time-scale",
        "0.01",
        cwd=tmp_path,
        JIVSBENCH_SOURCE_URL=loaded_source,
    )

    assert ended.status == ExitCode.ENVIRONMENT, ended.stderr
    assert "file/reports" in ended.error
    assert "--reports-dir" in ended.error


# Coverage's own file could not be written either.
@pytest.mark.no_cover
def test_a_full_disk_leaves_nothing_that_looks_complete(tmp_path: Path, loaded_source: str) -> None:
    """When the file system takes no more bytes, the extraction fails with exit code 5 and leaves no file."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    ended = subprocess.run(
        [sys.executable, "-m", "jivsbench", "extract", "main", "bench_rows", "--to", "out/rows"],
        cwd=tmp_path,
        env=clean_environment(JIVSBENCH_SOURCE_URL=loaded_source),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
        timeout=60,
    )

    assert ended.returncode == ExitCode.ENVIRONMENT, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "out" in ended.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_folder_with_an_earlier_extraction_is_not_overwritten(tmp_path: Path, loaded_source: str) -> None:
    """The target folder must be new; what was there stays."""
    first = run(
        "extract", "main", "bench_rows", "--to", "rows", "--limit", "10", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source
    )
    before = {path.name: path.read_bytes() for path in (tmp_path / "rows").iterdir()}
    second = run("extract", "main", "bench_rows", "--to", "rows", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source)

    assert first.status == ExitCode.PASSED, first.stderr
    assert second.status == ExitCode.ENVIRONMENT
    assert "exists already" in second.error
    assert {path.name: path.read_bytes() for path in (tmp_path / "rows").iterdir()} == before


@pytest.mark.parametrize("level", [pytest.param("columns", marks=pytest.mark.nightly), "rows"])
def test_a_limit_cannot_be_verified_by_more_than_count(tmp_path: Path, loaded_source: str, level: str) -> None:
    """It is said before anything is read; without the limit it passes and says how it was verified."""
    both = ("extract", "main", "bench_rows", "--to", "rows", "--verify", level)
    refused = run(*both, "--limit", "10", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source)
    passed = run(*both, "--json", cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source)

    assert refused.status == ExitCode.USAGE, refused.stderr
    assert "verify by count" in refused.error
    assert passed.status == ExitCode.PASSED, passed.stderr
    assert json.loads(passed.stdout)["verification"] == level


def test_a_port_in_use_is_named(tmp_path: Path, loaded_source: str) -> None:
    """`serve` on a taken port ends with exit code 5 and says how to choose another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        token = secrets.token_urlsafe(24)
        ended = run("serve", "--port", str(port), cwd=tmp_path, JIVSBENCH_SOURCE_URL=loaded_source, JIVSBENCH_ADMIN_TOKEN=token)

    assert ended.status == ExitCode.ENVIRONMENT, ended.stderr
    assert str(port) in ended.error
    assert "--port" in ended.error


def test_no_process_is_left_by_any_of_these(tmp_path: Path) -> None:
    """After all the mistakes above, no service of ours runs; one that did would be seen."""
    assert _services() == []

    with subprocess.Popen([sys.executable, "-c", "input()", "jivsbench.service"], stdin=subprocess.PIPE, cwd=tmp_path) as one:
        assert [process.pid for process in _services()] == [one.pid]
        one.communicate(b"\n", timeout=20)
