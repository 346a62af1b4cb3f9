"""What is installed: the source of each plugin, which is its own alone, and what another environment has."""

import sys
from pathlib import Path

import pytest

from jivsbench.app.environments import ask_environment
from jivsbench.app.installation import list_plugin_sources
from jivsbench.config import Settings
from jivsbench.errors import EnvironmentProblem
from jivsbench.plugins import find_wanted, format_lock, lock
from jivsbench_security.source_code.source_index import build_index


def test_the_sources_of_plugins_are_theirs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither all that lies beside a single file, nor nothing for a package that shares a namespace."""
    for name in ("whole_plugin/__init__.py", "whole_plugin/rules.py", "sharedland/plugin/__init__.py", "sharedland/other.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("alone_plugin.py", "beside.py"):
        (tmp_path / name).touch()
    monkeypatch.syspath_prepend(tmp_path)
    disabled = tuple(plugin.name for plugin in find_wanted())

    sources = list_plugin_sources(
        Settings(plugins=("whole_plugin", "sharedland.plugin", "alone_plugin"), disabled_plugins=disabled)
    )

    assert sources == tuple(tmp_path / name for name in ("whole_plugin", "sharedland/plugin", "alone_plugin.py"))
    assert len(build_index(sources)) == 4


def test_another_environment_is_asked_under_the_lock(tmp_path: Path) -> None:
    """To ask what is installed there is to load it."""
    lock_file = tmp_path / "plugins.lock"
    lock_file.write_text(format_lock(lock(find_wanted())))
    python = Path(sys.executable)

    assert ask_environment(python, (), (), lock_file).plugins
    lock_file.write_text(lock_file.read_text().replace('version = "', 'version = "9'))
    with pytest.raises(EnvironmentProblem, match="PluginLoadError"):
        ask_environment(python, (), (), lock_file)
