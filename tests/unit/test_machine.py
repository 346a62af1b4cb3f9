"""Tests that lack something of the machine: never left out in CI, and never in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).resolve().parents[2]
# One test for each thing that may be missing, and what its reason has to name.
NEEDY = {
    "plugins/jivsbench-postgres/tests/test_postgres_session.py::test_two_columns_of_one_name_are_refused[real]": "no PostgreSQL",
    "tests/contract/test_every_cache.py::TestRedisOnRedis::test_an_unknown_key_is_a_miss": "no Redis",
    "tests/browser/test_report_page.py::test_ids_are_unique_and_headings_do_not_skip": "Chromium is not installed",
}


def run_needy(**variables: str) -> str:
    """The outcome of those tests where nothing of it is there, one line each."""
    missing = {
        "JIVSBENCH_TEST_POSTGRES_URL": "postgresql://postgres@127.0.0.1:1/postgres",
        "JIVSBENCH_TEST_REDIS_URL": "redis://127.0.0.1:1/15",
        "PATH": "",
    }
    kept = {name: text for name, text in os.environ.items() if name != "CI"}
    argv = [sys.executable, "-m", "pytest", "--no-cov", "-p", "no:cacheprovider", "--tb=no", "-q", "-rfEs", *NEEDY]
    done = subprocess.run(argv, cwd=ROOT, env=kept | missing | variables, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_in_ci_what_is_missing_is_a_failure() -> None:
    """Each of them, with its reason; none is skipped and none passes."""
    output = run_needy(CI="true")

    assert "3 errors" in output
    assert not any(word in output for word in ("skipped in", "passed"))
    for test, reason in NEEDY.items():
        assert f"ERROR {test} - Failed: {reason}" in output


def test_elsewhere_what_is_missing_is_a_skip_with_its_reason() -> None:
    """Each of them; none fails and none passes."""
    output = run_needy()

    assert "3 skipped" in output
    assert not any(word in output for word in ("failed", "error", "passed"))
    for reason in NEEDY.values():
        assert reason in output
