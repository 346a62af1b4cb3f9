"""Renders specimens for the checks that look at reports: here, or in a child process that loads a control's plugins.

A plugin may replace a part of the host, and must not do so in the process that judges. So what loads one is a child.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jivsbench.app.conclusion import conclude
from jivsbench.app.specimen import build_specimen
from jivsbench.children import start_python_child, stop_with_parent
from jivsbench.errors import InvalidRunError
from jivsbench.plugins import Registry, load_registry

_TIMEOUT_S: Final = 60.0
Rounds = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Rendering:
    """Where reports are rendered, by which reporters, and with which plugins besides."""

    registry: Registry
    source_label: str
    cache_label: str
    folder: Path
    log: Path
    plugins: tuple[str, ...] = ()
    """Modules; with any, a child renders and loads them."""
    disabled_plugins: tuple[str, ...] = ()
    plugins_lock: str | None = None

    def render(self, rounds: Rounds) -> tuple[Path, ...]:
        """A folder of reports for each round of texts. Raises InvalidRunError when a child could not render them."""
        folders = tuple(Path(tempfile.mkdtemp(prefix="reports-", dir=self.folder)) for _ in rounds)
        if self.plugins:
            self._render_elsewhere(rounds, folders)
        else:
            render_specimens(self.registry, (self.source_label, self.cache_label), rounds, folders)
        return folders

    def _render_elsewhere(self, rounds: Rounds, folders: Sequence[Path]) -> None:
        task = {
            "labels": (self.source_label, self.cache_label),
            "rounds": [list(texts) for texts in rounds],
            "folders": [str(folder) for folder in folders],
            "plugins": self.plugins,
            "disabled": self.disabled_plugins,
            "lock": self.plugins_lock,
        }
        child = start_python_child(
            "rendering", "jivsbench.app.rendering", log=self.log, message=json.dumps(task), reads_stdout=False
        )
        try:
            status = child.process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            child.stop()
        if status != 0:
            raise InvalidRunError(f"the process that renders the reports ended with {status}: see {self.log.name}")


def render_specimens(registry: Registry, labels: tuple[str, str], rounds: Rounds, folders: Sequence[Path]) -> None:
    """Conclude a specimen a round, as every run is concluded. `labels` are those of source and cache.

    Raises InvalidRunError when a report could not be rendered: nothing is known of what is not there.
    """
    for texts, folder in zip(rounds, folders, strict=True):
        unwritten = conclude(build_specimen(texts, *labels), folder, registry).unwritten
        if unwritten:
            raise InvalidRunError(unwritten[0])


def main() -> int:
    """The child: reads its task from standard input, and ends with whoever holds the other end of that."""
    task: dict[str, Any] = json.loads(sys.stdin.readline())
    # A plugin may never return, so nothing is asked of the thread that renders.
    stop_with_parent(sys.stdin, lambda: os._exit(1))
    lock = Path(task["lock"]) if task["lock"] else None
    registry = load_registry(extra_modules=task["plugins"], disabled=task["disabled"], plugins_lock=lock)
    render_specimens(registry, tuple(task["labels"]), task["rounds"], [Path(folder) for folder in task["folders"]])
    return 0


if __name__ == "__main__":
    sys.exit(main())
