"""The layers of the host hold, and breaking one on purpose is caught."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    paths = [folder, *folder.glob("plugins/*/src")]
    return subprocess.run(
        [str(program), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": ":".join(map(str, paths)), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of everything that the contracts speak of."""
    ignored = shutil.ignore_patterns("__pycache__", "tests")
    shutil.copytree(ROOT / "jivsbench", tmp_path / "jivsbench", ignore=ignored)
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("jivsbench/model/secret.py", "import jivsbench.analysis", "A layer imports only the layers below it"),
        ("jivsbench/load/launcher.py", "import jivsbench.service.spec", "A layer imports only the layers below it"),
        ("jivsbench/load/launcher.py", "import gevent", "locust and gevent live in the load worker alone"),
        ("jivsbench/extract/extractor.py", "import psycopg", "Drivers live in their plugins"),
        ("jivsbench/app/run.py", "import click", "Only the command line prints"),
        (
            "plugins/jivsbench-memory/src/jivsbench_memory/__init__.py",
            "import jivsbench.extract",
            "A plugin imports the API, the model, the errors, and nothing else of the host",
        ),
    ],
)
def test_a_broken_layer_is_caught(copy: Path, file: str, line: str, contract: str) -> None:
    """One forbidden import fails the contract that forbids it."""
    broken = copy / file
    broken.write_text(f"{broken.read_text()}\n{line}\n")

    found = _lint_imports(copy)

    assert found.returncode != 0, found.stdout
    assert f"{contract} BROKEN" in " ".join(found.stdout.split())


def test_a_module_outside_every_layer_is_caught(copy: Path) -> None:
    """The list of layers is exhaustive: a new module must be given its place."""
    (copy / "jivsbench" / "utils.py").write_text('"""A module that nobody placed."""\n')

    found = _lint_imports(copy)

    assert found.returncode != 0, found.stdout
    assert "utils" in found.stdout


def test_the_layers_hold(copy: Path) -> None:
    """Every contract is kept as the tree stands."""
    found = _lint_imports(copy)

    assert found.returncode == 0, found.stdout + found.stderr
