"""Plugins that SEC-030 installs into folders of its own: one that behaves, and others that do not."""

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jivsbench.errors import InvalidRunError

_LOCK_TIMEOUT_S: Final = 60.0
GOOD: Final = """
from jivsbench.api import hookimpl

@hookimpl
def jivsbench_register_guards():
    return []
"""
RAISES_AT_IMPORT: Final = "raise RuntimeError('planted')\n"
EXITS_AT_IMPORT: Final = "raise SystemExit(0)\n"
RAISES_IN_HOOK: Final = GOOD.replace("return []", "raise RuntimeError('planted')")
BLOCKS_IN_HOOK: Final = GOOD.replace("return []", "import time\n    time.sleep(3600)")


@dataclass(frozen=True, slots=True)
class Trap:
    """How it is known that a plugin's code has run: a file that it writes, with what it read, and a port that it connects to."""

    marker: Path
    port: int
    variable: str


def write_evil(trap: Trap) -> str:
    """A plugin that, when it is imported, reads the environment, writes a file, calls out, and replaces a part of the host."""
    return f"""
import os, pathlib, socket
import jivsbench.errors
pathlib.Path({str(trap.marker)!r}).write_text(os.environ.get({trap.variable!r}, ""))
jivsbench.errors.GuardRefusedError.slug = "replaced"
with socket.create_connection(("127.0.0.1", {trap.port}), 1.0):
    pass
{GOOD}"""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A distribution with one entry point."""

    name: str
    code: str = GOOD
    distribution: str = ""
    version: str = "1.0"
    package: str = ""

    def install(self, site: Path) -> None:
        """As an installer would, without a list of files, which nobody asks for here."""
        distribution, package = self.distribution or self.name, self.package or f"{self.name}_plugin"
        (site / package).mkdir(parents=True)
        (site / package / "__init__.py").write_text(self.code, encoding="utf-8")
        folder = site / f"{distribution.replace('-', '_')}-{self.version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {self.version}\n", encoding="utf-8"
        )
        (folder / "entry_points.txt").write_text(f"[jivsbench]\n{self.name} = {package}\n", encoding="utf-8")


def lock_plugins(site: Path, environment: Mapping[str, str], folder: Path, timeout_s: float = _LOCK_TIMEOUT_S) -> str:
    """What `jivsbench plugins lock` writes with the site in sight. Raises InvalidRunError."""
    try:
        made = subprocess.run(
            [sys.executable, "-m", "jivsbench", "plugins", "lock"],
            cwd=folder,
            env={**environment, "PYTHONPATH": join_paths(site, environment)},
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InvalidRunError(f"`jivsbench plugins lock` had not ended after {timeout_s:g} s") from None
    written = folder / "plugins.lock"
    if made.returncode or not written.is_file():
        raise InvalidRunError(f"`jivsbench plugins lock` ended with exit code {made.returncode} and wrote no lock")
    return written.read_text("utf-8")


def keep_plugins(lock: str, left_out: Collection[str]) -> str:
    """The lock without some of its plugins."""
    head, *tables = lock.split("[[plugin]]")
    return "[[plugin]]".join([head, *(table for table in tables if not any(f'name = "{name}"\n' in table for name in left_out))])


def join_paths(site: Path, environment: Mapping[str, str]) -> str:
    """PYTHONPATH with the site before whatever it holds."""
    return os.pathsep.join(filter(None, (str(site), environment.get("PYTHONPATH", ""))))
