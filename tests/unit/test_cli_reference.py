"""docs/cli.md says what the commands say."""

import os
from pathlib import Path

from jivsbench.cli.reference import render_reference

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def test_the_reference_is_that_of_todays_commands() -> None:
    """Every command, option and default in docs/cli.md is today's."""
    rendered = render_reference()
    if os.environ.get("JIVSBENCH_UPDATE_DOCS"):
        REFERENCE.write_text(rendered)

    assert REFERENCE.read_text() == rendered
