"""Options of `run` that would be for nothing are refused."""

import pytest
from click.testing import CliRunner

from jivsbench.cli.root import root
from jivsbench.errors import UsageError


@pytest.mark.parametrize("option", ["--suppressions", "--advisories"])
def test_files_for_checks_are_refused_without_checks(tmp_path, monkeypatch, option):
    """They would be read for nothing, and who gave them would take the findings for answered."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    ended = CliRunner().invoke(root, ["run", "baseline", option, "file"], standalone_mode=False)

    assert isinstance(ended.exception, UsageError)
    assert "add --check" in str(ended.exception)
