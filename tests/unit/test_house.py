"""The house rules that a test can hold: licences, messages, the Makefile, layout."""

import importlib.metadata
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from jivsbench import errors
from jivsbench.exitcodes import ExitCode

ROOT = Path(__file__).resolve().parents[2]
_FORBIDDEN = re.compile(r"\bA?GPL|General Public License", re.IGNORECASE)
_LESSER = re.compile(r"\bLGPL|Lesser General Public License", re.IGNORECASE)
LGPL_BY_DECISION = {"psycopg", "psycopg-binary"}


def _error_classes() -> list[type[errors.JivsbenchError]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.JivsbenchError)]


def _runtime_distributions() -> set[str]:
    """Every distribution that `jivsbench` needs with all of its extras, by walking the requirements of what is installed."""
    seen: set[str] = set()
    queue = [("jivsbench", ("standard", "embedded", "keyring", "rest", "sqlalchemy"))]
    while queue:
        name, extras = queue.pop()
        name = name.lower().replace("_", "-")
        if name in seen:
            continue
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        seen.add(name)
        for text in found.requires or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                queue.append((requirement.name, tuple(requirement.extras)))
    return seen


def test_no_gpl_in_the_dependency_tree() -> None:
    """Every runtime dependency is under a licence of docs/decisions/0001; psycopg alone may be under the LGPL."""
    distributions = _runtime_distributions()
    guilty = {}
    for name in distributions - LGPL_BY_DECISION:
        metadata = importlib.metadata.distribution(name).metadata
        text = " ".join(
            [
                metadata.get("License-Expression") or "",
                (metadata.get("License") or "")[:200],
                *(c for c in metadata.get_all("Classifier") or () if c.startswith("License")),
            ]
        )
        if _FORBIDDEN.search(text) or _LESSER.search(text):
            guilty[name] = text

    assert {"locust", "psycopg", "pyarrow", "sqlglot", "redis", "cryptography", "keyring"} <= distributions
    assert guilty == {}


@pytest.mark.parametrize("kind", _error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_is_explained(kind: type[errors.JivsbenchError]) -> None:
    """Each error's slug is a heading in docs/messages.md, and the class stands in the tree of the module's docstring."""
    assert f"\n## {kind.slug}\n" in (ROOT / "docs" / "messages.md").read_text()
    assert kind.__name__ in (errors.__doc__ or "")


def test_every_error_has_a_slug_of_its_own() -> None:
    """A slug leads to one heading, so no two classes share one."""
    slugs = [kind.slug for kind in _error_classes()]

    assert len(slugs) == len(set(slugs))


def test_makefile_is_short_and_says_what_it_offers() -> None:
    """Under 50 lines; `make help` names every target that users call."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    shown = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout

    assert len(lines) < 50
    for target in ("demo", "test", "lint", "bench", "nightly", "help"):
        assert f"make {target}" in shown


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_nobody_promises_tests_that_are_left_out(file: str) -> None:
    """`make test` leaves the nightly tests out, and whoever says what it runs says so."""
    (recipe,) = (line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("test:"))
    text = (ROOT / file).read_text()

    assert "every test but the nightly ones" in recipe
    assert "nightly" in next(line for line in text.splitlines() if line.startswith(("make test ", "# What runs on every push")))


@pytest.mark.parametrize("code", [*ExitCode])
def test_make_demo_takes_passed_and_conditional_alone(tmp_path: Path, code: ExitCode) -> None:
    """The demo leaves checks out, so CONDITIONAL is its good end, and is said; every other code fails."""
    program = tmp_path / "jivsbench"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o700)
    # The environment is there already: this test is run by it.
    argv = ["make", "-C", str(ROOT), "--old-file=.venv/.ready", f"BIN={tmp_path}", "demo"]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert (ended.returncode == 0) == (code in {ExitCode.PASSED, ExitCode.CONDITIONAL}), ended.stderr
    assert ("CONDITIONAL (exit code 3)" in ended.stdout) == (code == ExitCode.CONDITIONAL)


def test_modules_stay_readable() -> None:
    """No module of the host or of a plugin is longer than 400 lines."""
    sources = [*ROOT.glob("jivsbench/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    long = {str(path.relative_to(ROOT)): n for path in sources if (n := len(path.read_text().splitlines())) > 400}

    assert len(sources) > 50
    assert long == {}


def test_nothing_heavy_is_imported_for_help() -> None:
    """`jivsbench --help` imports click and little else: no Arrow, no SQLAlchemy, no Locust, no rich."""
    code = (
        "import sys; from click.testing import CliRunner; from jivsbench.cli.root import root;"
        "assert CliRunner().invoke(root, ['--help']).exit_code == 0;"
        "print(' '.join(m for m in ('pyarrow', 'sqlalchemy', 'locust', 'rich', 'pydantic', 'pluggy') if m in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == ""


@pytest.mark.no_cover
def test_a_test_without_coverage_is_not_traced() -> None:
    """Also in a worker of xdist, where more than one tracer may run: traced, a simulation takes several times as long."""
    assert sys.gettrace() is None
