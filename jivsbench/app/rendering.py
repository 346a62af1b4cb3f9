"""Renders specimens for the checks that look at reports: here, or in a child process that loads a control's plugins.

A plugin may replace a part of the host, and must not do so in the process that judges. So what loads one is a child.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from jivsbench.app.conclusion import conclude
from jivsbench.app.specimen import Labels, build_specimen
from jivsbench.children import start_python_child
from jivsbench.errors import InvalidRunError
from jivsbench.plugins import Registry, load_registry

_TIMEOUT_S: Final = 60.0
Rounds = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Rendering:
    """Where reports are rendered, by which reporters, and with which plugins besides."""

    registry: Registry
    labels: Labels
    folder: Path
    log: Path
    plugins: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()

    def render(self, rounds: Rounds) -> tuple[Path, ...]:
        """A folder of reports for each round of texts. Raises InvalidRunError when a child could not render them."""
        folders = tuple(Path(tempfile.mkdtemp(prefix="reports-", dir=self.folder)) for _ in rounds)
        if self.plugins:
            self._render_elsewhere(rounds, folders)
        else:
            render_specimens(self.registry, self.labels, rounds, folders)
        return folders

    def _render_elsewhere(self, rounds: Rounds, folders: Sequence[Path]) -> None:
        task = {
            "labels": asdict(self.labels),
            "rounds": [list(texts) for texts in rounds],
            "folders": [str(folder) for folder in folders],
            "plugins": self.plugins,
            "disabled": self.disabled_plugins,
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
            raise InvalidRunError(f"the process that renders the reports ended with {status}: see {self.log}")


def render_specimens(registry: Registry, labels: Labels, rounds: Rounds, folders: Sequence[Path]) -> None:
    """Conclude a specimen a round, as every run is concluded; nobody is told of it."""
    unheard = replace(registry, listeners=())
    for texts, folder in zip(rounds, folders, strict=True):
        conclude(build_specimen(texts, labels), folder, unheard)


def main() -> int:
    """The child: reads its task from standard input."""
    task: dict[str, Any] = json.loads(sys.stdin.readline())
    registry = load_registry(extra_modules=task["plugins"], disabled=task["disabled"])
    render_specimens(registry, Labels(**task["labels"]), task["rounds"], [Path(folder) for folder in task["folders"]])
    return 0


if __name__ == "__main__":
    sys.exit(main())
