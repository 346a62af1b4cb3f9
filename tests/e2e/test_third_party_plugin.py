"""A plugin by somebody else: built into a wheel, installed as a distribution, found, and held to the same contract."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "third_party" / "jivsbench-csvdir"
LISTING = """
import dataclasses, json
from jivsbench.plugins import load_registry
print(json.dumps([dataclasses.asdict(facts) for facts in load_registry().plugins]))
"""


def run(*argv: str | Path, cwd: Path) -> str:
    """Run a program of the fresh environment; its output is shown when it fails."""
    clean = {
        name: text for name, text in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "COVERAGE_", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        [str(word) for word in argv], cwd=cwd, env=clean, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def uv() -> str:
    """The program uv, which builds and installs without a network."""
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.fail("uv is needed to build the plugin: install it, or run the tests with `uv run`")
    return found


@pytest.fixture(scope="module")
def python(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of a fresh environment that has this one's packages, and the plugin as an installed distribution."""
    folder = tmp_path_factory.mktemp("third-party")
    # The source is copied, so that a build leaves nothing behind in the repository.
    source = shutil.copytree(SOURCE, folder / "source")
    run(uv, "build", "--offline", "--wheel", "--out-dir", folder / "dist", source, cwd=folder)
    run(uv, "venv", "--offline", "--python", sys.executable, folder / "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    (wheel,) = (folder / "dist").glob("*.whl")
    run(uv, "pip", "install", "--offline", "--no-deps", "--python", python, wheel, cwd=folder)
    site = folder / "venv" / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (site / "host.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return python


def test_an_installed_plugin_is_listed_with_its_distribution(python: Path, tmp_path: Path) -> None:
    """No registration, no configuration: to install it is enough."""
    plugins = json.loads(run(python, "-c", LISTING, cwd=tmp_path))

    assert [plugin for plugin in plugins if plugin["name"] == "csvdir"] == [
        {
            "name": "csvdir",
            "version": "0.3.1",
            "origin": "jivsbench-csvdir",
            "hooks": ["jivsbench_register_connectors"],
            "offers": ["connector csvdir"],
        }
    ]


def test_an_installed_plugin_passes_the_contract(python: Path, tmp_path: Path) -> None:
    """Its own tests, run where it is installed, subclass the contract suite that this project ships."""
    shutil.copytree(SOURCE / "tests", tmp_path / "tests")

    output = run(
        python, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", tmp_path, "tests", cwd=tmp_path
    )

    passed = int(output.rsplit(" passed", 1)[0].split()[-1])
    assert passed > 60, output[-1000:]
    assert " failed" not in output


def test_the_plugin_is_not_loaded_where_it_is_not_installed(python: Path, tmp_path: Path) -> None:
    """The environment that runs this test has no such plugin; disabling it in the other one works."""
    listing = LISTING.replace("load_registry()", "load_registry(disabled=['jivsbench-csvdir'])")
    plugins = json.loads(run(python, "-c", listing, cwd=tmp_path))

    assert "csvdir" not in [plugin["name"] for plugin in plugins]
    assert "csvdir" not in [plugin["name"] for plugin in json.loads(run(sys.executable, "-c", LISTING, cwd=tmp_path))]
