"""What a run was measured with: the machine and every version. No host name, user name or path."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

import psutil

from jivsbench import __version__
from jivsbench.model.record import Environment, PluginFacts
from jivsbench.model.source import ServerFacts


def read_environment(server: ServerFacts, cache_label: str, plugins: tuple[PluginFacts, ...]) -> Environment:
    """Look at the machine now; the load average is that of before the run."""
    return Environment(
        jivsbench_version=__version__,
        python_version=platform.python_version(),
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu_model=_cpu_model(),
        cpu_count=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        load_average_1m=os.getloadavg()[0],
        source_server=f"{server.product} {server.version}",
        cache_server=cache_label,
        plugins=plugins,
        git_commit=_git_commit(),
    )


def fingerprint_machine() -> str:
    """A digest by which this machine is known again, and from which nothing can be read."""
    facts = (_machine_id(), _cpu_model(), os.cpu_count(), psutil.virtual_memory().total, platform.system(), platform.machine())
    # machine-id(5): the identity itself must not leave the machine, a keyed digest of it may.
    return hashlib.sha256(f"jivsbench:{facts}".encode()).hexdigest()


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _git_commit() -> str | None:
    """Commit of the checkout that this code runs from; None when it is installed or git is missing."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        found = subprocess.run(  # noqa: S603 - a fixed command on a path of our own
            ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
