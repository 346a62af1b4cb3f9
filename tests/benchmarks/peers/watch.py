"""What a process and its children cost: wall time, CPU time, peak memory."""

import resource
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_EVERY_S: Final = 0.03


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run. Memory is the greatest sum of proportional set sizes (PSS) over the process tree."""

    wall_s: float
    cpu_s: float
    peak_pss_bytes: int


def run_watched(argv: list[str], environment: dict[str, str], log: Path, timeout_s: float) -> Cost:
    """Run to its end. Raises CalledProcessError, and TimeoutExpired after killing the tree."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    peak = 0
    with log.open("wb") as output:
        child = subprocess.Popen(argv, env=environment, stdout=output, stderr=output)
        tree = psutil.Process(child.pid)
        while child.poll() is None:
            peak = max(peak, _measure_pss(tree))
            if time.perf_counter() - started > timeout_s:
                for process in [*tree.children(recursive=True), tree]:
                    with suppress(psutil.Error):
                        process.kill()
                child.wait()
                raise subprocess.TimeoutExpired(argv, timeout_s)
            time.sleep(_EVERY_S)
    wall_s = time.perf_counter() - started
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, argv)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak)


def _measure_pss(tree: psutil.Process) -> int:
    total = 0
    with suppress(psutil.Error):
        for process in [tree, *tree.children(recursive=True)]:
            with suppress(OSError):
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
                total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return total
