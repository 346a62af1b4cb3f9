"""The distributions hold what they need: built as wheels, installed by plain pip, run far away from this repository."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from command import clean_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`jivsbench` of a fresh environment with the wheels of the host and of every plugin; dependencies come from this one."""
    folder = tmp_path_factory.mktemp("wheels")
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    subprocess.run(
        [uv, "build", "--wheel", "--all-packages", "--out-dir", folder / "dist"], cwd=ROOT, check=True, capture_output=True
    )
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    wheels = sorted((folder / "dist").glob("*.whl"))
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *wheels], check=True)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    # Appended after the wheels' own, and without the editable installs that point into this repository.
    (site / "dependencies.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n")
    return folder / "venv" / "bin" / "jivsbench"


def _run(program: Path, *args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *args], cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False)


@pytest.mark.nightly
def test_wheels_bring_their_plugins_and_scenarios(program: Path, tmp_path: Path) -> None:
    """All plugins are found, and the packaged scenarios are known without a scenarios folder."""
    plugins = _run(program, "plugins", cwd=tmp_path)
    unknown = _run(program, "run", "no-such-scenario", cwd=tmp_path)
    home = _run(program, "doctor", cwd=tmp_path)

    assert plugins.returncode == 0, plugins.stderr
    plugins_here = (
        *("builtin", "files", "memory", "mysql", "postgres", "redis", "rest", "security", "sqlalchemy"),
        *("sqlguard", "sqlite"),
    )
    for name in plugins_here:
        assert name in plugins.stdout
    assert "baseline" in unknown.stderr
    assert home.returncode == 0, home.stdout
