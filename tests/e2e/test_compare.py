"""Comparisons of live targets from the command line: what is planted is found, and who is compared is really compared."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from bundles import STARVED, find_bundle
from command import Ended, run

import jivsbench
from jivsbench.exitcodes import ExitCode

pytestmark = pytest.mark.alone

TESTS = Path(__file__).parents[1]


@pytest.fixture
def servers(loaded_source: str, embedded_valkey_url: str) -> tuple[str, ...]:
    """Options that name servers which are up already."""
    return ("--source-url", loaded_source, "--cache-url", embedded_valkey_url)


def read(ended: Ended, folder: Path) -> dict:
    """The run's file; the run may have been starved by a busy machine, and nothing else."""
    found = json.loads((find_bundle(folder) / "run.json").read_text())
    assert [reason for reason in found["record"]["invalid"] if not reason.startswith(STARVED)] == [], ended
    return found


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_delay_planted_in_one_plugin_stack_is_found_and_ends_the_comparison_early(
    tmp_path: Path, servers: tuple[str, ...]
) -> None:
    """B loads one plugin more, whose guard lets every job wait 150 ms: WORSE, with the pairs of an early look."""
    sizes = ["--pairs", "24", "--processes", "1", "--block", "200ms", "--rows", "200", "--looks", "2", "--seed", "5"]
    variables = {"PYTHONPATH": str(TESTS), "JIVSBENCH_PLANTED_DELAY_US": "150000"}
    ended = run("compare", "--b-plugin", "planted_delay", *sizes, *servers, cwd=tmp_path, **variables)

    found = read(ended, tmp_path)
    record, (criterion,) = found["record"], found["verdict"]["criteria"]
    assert [arm["guards"] for arm in record["arms"]] == [["sqlguard"], ["planted-delay", "sqlguard"]]
    assert not record["arms"][1]["runtime"]["is_own_environment"]
    assert "--b-plugin planted_delay --seed 5" in (find_bundle(tmp_path) / "report.html").read_text()
    assert criterion["outcome"] == "WORSE"
    assert criterion["pairs"] == len(record["arms"][0]["blocks"]) == 12
    assert record["arms"][0]["operations"][1]["operation"] == "job"
    means = [arm["operations"][1]["response"]["sum_ns"] / arm["operations"][1]["count"] for arm in record["arms"]]
    assert 140e6 < means[1] - means[0] < 300e6, "on pooled data"
    assert all(block["cpu_s"] > 0 for arm in record["arms"] for block in arm["blocks"])
    assert ended.status == (ExitCode.INVALID if record["invalid"] else ExitCode.GATE_FAILED)
    assert "--seed 5 draws the same one again" in ended.stderr
    assert "WORSE" in ended.stdout
    judged = run("gate", "latest", cwd=tmp_path)
    assert judged.status == ended.status


@pytest.mark.nightly
@pytest.mark.no_cover
def test_a_candidate_that_refuses_at_once_is_faster_and_fails(tmp_path: Path, servers: tuple[str, ...]) -> None:
    """Two jobs of three end in a millisecond, refused: BETTER by their durations, and FAILED for the share of failed jobs."""
    sizes = ["--pairs", "8", "--processes", "1", "--rows", "200", "--looks", "1"]
    variables = {"PYTHONPATH": str(TESTS.parent)}
    ended = run("compare", "--b-plugin", "tests.planted_refusal", *sizes, *servers, cwd=tmp_path, **variables)

    verdict = read(ended, tmp_path)["verdict"]
    assert [criterion["outcome"] for criterion in verdict["criteria"]] == ["BETTER"]
    assert any("fails more jobs" in reason and "what fails at once looks fast" in reason for reason in verdict["reasons"]), ended
    assert ended.status in {ExitCode.GATE_FAILED, ExitCode.INVALID}
    assert "The candidate is better." not in (find_bundle(tmp_path) / "report.html").read_text()


@pytest.fixture(scope="module")
def other_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment in which jivsbench 9.9.9 is installed, beside the plugins and libraries of this one."""
    folder = tmp_path_factory.mktemp("other") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    site = folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    package = shutil.copytree(Path(jivsbench.__file__).parent, site / "jivsbench")
    text = (package / "__init__.py").read_text().replace(jivsbench.__version__, "9.9.9")
    (package / "__init__.py").write_text(text)
    (site / "host.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return folder


@pytest.mark.nightly
@pytest.mark.no_cover
def test_two_installed_versions_are_compared_each_from_its_own_environment(
    tmp_path: Path, servers: tuple[str, ...], other_version: Path
) -> None:
    """B runs the code that is installed there, whatever lies in the current folder or on PYTHONPATH."""
    sizes = ("--pairs", "6", "--processes", "1", "--rows", "100", "--block", "200ms", "--reports-dir", str(tmp_path / "reports"))
    run("compare", "--b-env", str(other_version), *sizes, *servers, cwd=TESTS.parent, PYTHONPATH=str(TESTS.parent))
    found = json.loads((find_bundle(tmp_path) / "run.json").read_text())

    runtimes = [arm["runtime"] for arm in found["record"]["arms"]]
    assert runtimes[0] is None
    assert runtimes[1]["is_own_environment"]
    assert runtimes[1]["jivsbench_version"] == "9.9.9"
    assert "jivsbench-postgres" in [plugin["origin"] for plugin in runtimes[1]["plugins"]]
    assert [arm["profile"]["name"] for arm in found["record"]["arms"]] == ["optimized+a", "optimized+b"]
    assert found["record"]["arms"][1]["totals"]["completed"] > 0


@pytest.mark.nightly
@pytest.mark.no_cover
def test_gates_judge_a_comparison_after_all_of_its_pairs(tmp_path: Path, servers: tuple[str, ...]) -> None:
    """A limit that nothing misses and one that nothing reaches: the file's two gates and no criterion, all pairs, exit code 1.

    Six processes of each, one after the other: every one answers its own blocks, and what counts up goes on.
    """
    (tmp_path / "own.toml").write_text(
        'gates = ["job.response mean growth <= 10000 %", "throughput.records rate improvement >= 900 %"]\n'
    )
    sizes = ("--pairs", "12", "--processes", "6", "--block", "200ms", "--rows", "100", "--seed", "5")
    ended = run("compare", "--gates", "own.toml", *sizes, *servers, cwd=tmp_path)

    found = read(ended, tmp_path)
    assert [gate["outcome"] for gate in found["verdict"]["gates"]] == ["MET", "FAILED"]
    assert found["verdict"]["criteria"] == []
    blocks = found["record"]["arms"][0]["blocks"]
    assert [block["process"] for block in blocks] == [number // 2 for number in range(12)]
    assert all(block["jobs"] and not block["errors"] for block in blocks)
    assert all(effect["processes"] == 6 for effect in found["summary"]["effects"] if effect["ratio_low"] is not None)
    assert found["record"]["arms"][0]["phases"] is not None
    cpu_s = [row["cpu_s"] for row in found["record"]["arms"][0]["monitor"] if row["cpu_s"] is not None]
    assert cpu_s == sorted(cpu_s), "counted on from process to process"
    assert ended.status == (ExitCode.INVALID if found["record"]["invalid"] else ExitCode.GATE_FAILED)
