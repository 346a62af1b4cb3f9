"""The plugin's README."""

from pathlib import Path

import jivsbench_security


def test_it_names_every_check_once() -> None:
    """In the order of their ids, so that one that is missing is seen."""
    lines = (Path(__file__).parents[1] / "README.md").read_text("utf-8").splitlines()
    named = [line.split()[1] for line in lines if line.startswith("| SEC-")]

    assert named == sorted(check.id for check in jivsbench_security.jivsbench_register_checks())
