"""What the README says is true: its commands run, its plugin works, its links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
from bundles import find_bundle, read_ended_run
from command import run

from jivsbench.cli.root import root
from jivsbench.exitcodes import ExitCode

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.nightly
def test_the_commands_for_a_database_of_ones_own_work_as_written(
    tmp_path: Path, real_postgres_url: str, real_redis_url: str
) -> None:
    """Every line of the block runs, in its order, from an empty folder, with the source named in the environment."""
    (block,) = [text for text in _blocks("") if "jivsbench init" in text]
    lines = [line.partition("#")[0].strip() for line in block.splitlines() if line.strip()]
    servers = {"JIVSBENCH_SOURCE_URL": real_postgres_url, "JIVSBENCH_CACHE_URL": real_redis_url}
    run("data", "drop", cwd=tmp_path, **servers)
    ended = {}
    try:
        for line in lines:
            program, *args = shlex.split(line)
            assert program == ".venv/bin/jivsbench"
            # The README's tenth of seven minutes would be too long here; only that figure is changed.
            shorter = ["0.02" if arg == "0.1" else arg for arg in args]
            ended[line] = run(*shorter, cwd=tmp_path, **servers)
    finally:
        run("data", "drop", cwd=tmp_path, **servers)

    (measured,) = [line for line in lines if " run " in line]
    assert len(lines) == 6
    # What the baseline's limits say of this machine is not what is tested here.
    read_ended_run(ended.pop(measured), find_bundle(tmp_path), ExitCode.PASSED, ExitCode.GATE_FAILED)
    assert {line: e for line, e in ended.items() if e.status != ExitCode.PASSED} == {}


def test_the_plugin_in_the_readme_works(tmp_path: Path, loaded_source: str) -> None:
    """At most twenty lines of code; it is listed, it refuses what it should and lets the rest pass."""
    (code,) = _blocks("python")
    (tmp_path / "acme_guard.py").write_text(code)
    (tmp_path / "jivsbench.toml").write_text('[plugins]\nmodules = ["acme_guard"]\n')
    own = {"PYTHONPATH": str(tmp_path), "JIVSBENCH_SOURCE_URL": loaded_source}

    listed = run("plugins", cwd=tmp_path, **own)
    refused = run("extract", "main", "bench_rows", "--to", "all", cwd=tmp_path, **own)
    passed = run("extract", "main", "bench_rows", "--columns", "id,status", "--to", "some", cwd=tmp_path, **own)

    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    assert "acme_guard" in listed.stdout
    assert refused.status == ExitCode.GATE_FAILED
    assert "the column email may not be extracted" in refused.error
    assert passed.status == ExitCode.PASSED, passed.stderr


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_link_leads_somewhere(link: str) -> None:
    """Each relative link of the README is a file or folder of the repository."""
    assert (ROOT / link).exists()


def test_the_table_of_commands_is_complete() -> None:
    """Each command of the program stands in the README's table."""
    table = README.partition("## Commands")[2].partition("## A plugin")[0]
    missing = [name for name in root.list_commands(None) if f"`{name}" not in table]  # type: ignore[arg-type]

    assert missing == []


def test_the_table_of_exit_codes_is_complete() -> None:
    """Each exit code of the program stands in the README's table."""
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}

    assert codes == {int(code) for code in ExitCode}
