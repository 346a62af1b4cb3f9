"""Which files the source rule is to look at."""

import importlib
from pathlib import Path

import pytest

import jivsbench
from jivsbench.app.installation import describe_installation
from jivsbench.app.servers import Servers, Workbench
from jivsbench.config import Settings
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import load_registry

PLUGIN = "from jivsbench.api import hookimpl\n"


def test_a_plugin_is_its_package_its_module_or_its_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the folder that a module lies in, where everything else is; and a namespace is not left out."""
    (tmp_path / "acme_module.py").write_text(PLUGIN)
    (tmp_path / "acme_space").mkdir()
    (tmp_path / "acme_space/inner.py").write_text(PLUGIN)
    (tmp_path / "acme_package").mkdir()
    (tmp_path / "acme_package/__init__.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    source = DataSource("main", "sqlite", Secret("sqlite:///x.db"))
    servers = Servers(source, source, "memory", None, source_is_embedded=False, cache_is_embedded=True)
    settings = Settings(plugins=("acme_module", "acme_space.inner", "acme_package"))
    places = describe_installation(Workbench(settings, load_registry(), servers, lambda _event: None)).sources

    assert places[0] == Path(jivsbench.__file__).parent
    assert {tmp_path / "acme_module.py", tmp_path / "acme_space", tmp_path / "acme_package"} <= set(places)
    assert tmp_path not in places
