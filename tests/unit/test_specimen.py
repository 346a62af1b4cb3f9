import os
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from jivsbench.app.rendering import Rendering
from jivsbench.app.specimen import build_specimen
from jivsbench.checks.context import render_nowhere
from jivsbench.errors import InvalidRunError
from jivsbench.plugins import find_wanted, format_lock, load_registry, lock
from jivsbench.report.bundle import read_record
from tests.processes import is_gone
from tests.unit.extract_fakes import wait_until

TEXTS = [f"text {number} <b>" for number in range(40)]
LABELS = ("postgresql://ann@db:5432/shop", "redis://cache:6379")
KEPT = {"started_at", "metric", "statistic", "operation"}


def list_texts(value, name=""):
    """Every text in a record, but enumerations', with the field that it is in."""
    if type(value) is str:
        yield name, value
    elif isinstance(value, tuple):
        for part in value:
            yield from list_texts(part, name)
    elif is_dataclass(value):
        for one in fields(value):
            yield from list_texts(getattr(value, one.name), one.name)


def test_every_text_of_a_specimen_is_one_of_those_that_were_given() -> None:
    """Whatever field is added to a record one day: it is spoiled as well. Each text is in it, and the labels can be read."""
    record = build_specimen(TEXTS, *LABELS)
    found = [(name, text) for name, text in list_texts(record) if text and name not in KEPT]

    assert {text for name, text in found if "label" not in name} == set(TEXTS)
    assert record.plan.source_label.endswith(LABELS[0])
    assert record.plan.cache_label.endswith(LABELS[1])
    assert {arm.profile.name for arm in record.arms} == {block.arm for block in record.plan.blocks}


def test_one_text_alone_still_leaves_two_arms() -> None:
    """Two arms of one name would be one."""
    record = build_specimen(["only"], *LABELS)

    assert len({arm.profile.name for arm in record.arms}) == 2


def test_reports_are_rendered_here_without_telling_plugins(tmp_path: Path) -> None:
    """A folder a round, with every reporter's file, and the record of it."""
    rendering = Rendering(load_registry(), *LABELS, tmp_path, tmp_path / "log")
    first, second = rendering.render([TEXTS, ["harmless"]])

    assert read_record(first).environment.plugins[0].name == TEXTS[0]
    assert "text 39 &lt;b&gt;" in (first / "report.html").read_text()
    assert "harmless" in (second / "report.html").read_text()
    assert {file.name for file in first.iterdir()} == {file.name for file in second.iterdir()}


def test_with_plugins_another_process_renders(tmp_path: Path) -> None:
    """What the plugin spoils is spoiled there, and not here; one that cannot be loaded is said."""
    spoiled = Rendering(load_registry(), *LABELS, tmp_path, tmp_path / "log", ("jivsbench.testing.vulnerable.careless_pages",))
    (folder,) = spoiled.render([TEXTS])
    (sound,) = Rendering(load_registry(), *LABELS, tmp_path, tmp_path / "log").render([TEXTS])

    assert "text 39 <b>" in (folder / "report.html").read_text()
    assert "text 39 <b>" not in (sound / "report.html").read_text()
    with pytest.raises(InvalidRunError, match="ended with 1"):
        Rendering(load_registry(), *LABELS, tmp_path, tmp_path / "log", ("no.such.module",)).render([TEXTS])
    with pytest.raises(InvalidRunError, match="nobody renders"):
        render_nowhere([TEXTS])


ENDLESS = """
import os, pathlib, time
from jivsbench.api import hookimpl

@hookimpl
def jivsbench_register_reporters():
    pathlib.Path("{mark}").write_text(str(os.getpid()))
    time.sleep(600)
"""
PARENT = """
import sys
from pathlib import Path
from jivsbench.app.rendering import Rendering
from jivsbench.plugins import load_registry
folder = Path(sys.argv[1])
Rendering(load_registry(), "source", "cache", folder, folder / "log", ("endless_reporter",)).render([["text"]])
"""


def test_the_process_that_renders_ends_with_its_parent(tmp_path: Path) -> None:
    """Although a plugin never returns, and nobody was left to stop it."""
    mark = tmp_path / "mark"
    (tmp_path / "endless_reporter.py").write_text(ENDLESS.format(mark=mark))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert wait_until(lambda: mark.exists() and bool(mark.read_text()), timeout_s=30)
    parent.kill()
    parent.wait()

    assert is_gone(int(mark.read_text()), within_s=10)


def test_the_process_that_renders_loads_what_the_lock_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shipped controls lie in the host's own locked package; a module that nobody locked is not imported."""
    file = tmp_path / "plugins.lock"
    file.write_text(format_lock(lock(find_wanted())))
    mark = tmp_path / "mark"
    (tmp_path / "unlocked_reporter.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def render(module: str) -> tuple[Path, ...]:
        return Rendering(load_registry(), *LABELS, tmp_path, tmp_path / "log", (module,), (), str(file)).render([TEXTS])

    assert "text 39 <b>" in (render("jivsbench.testing.vulnerable.careless_pages")[0] / "report.html").read_text()
    with pytest.raises(InvalidRunError, match="ended with 1"):
        render("unlocked_reporter")
    assert not mark.exists()
