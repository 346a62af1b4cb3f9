"""One target as the monitor sees it from outside: its process tree, and what it says of itself in its /metrics."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

import psutil
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from jivsbench.load.phase_metrics import PhaseCounters, parse_phase_counters
from jivsbench.load.spec import LoadArm
from jivsbench.model.monitor_rows import MonitorRow

_ANSWER_LIMIT_S: Final = 0.8
_TREE_LOOKS: Final = 5  # listing every process of the machine costs ten times as much as reading one
_OK: Final = 200
_EXACT_DIGITS: Final = 6  # of sums of ticks: without, one added in another order may seem to have fallen, as after a restart
_WANTED: Final = (
    "jivsbench_pool_connections",
    "jivsbench_pool_waiting",
    "jivsbench_cache_lookups_total",
    "jivsbench_cache_loads_total",
    "jivsbench_jobs_waiting",
)
_LABELS: Final = ("state", "result", "kind")
# The histograms of phases take a target some ms to write, which its users would feel once a second.
_ONLY_GAUGES: Final = "?" + urlencode([("name[]", name) for name in _WANTED])


@dataclass(frozen=True, slots=True)
class TreeReading:
    """Resources of a process tree at one moment."""

    rss_bytes: int | None = None
    pss_bytes: int | None = None
    cpu_s: float | None = None
    threads: int | None = None
    handles: int | None = None


@dataclass(frozen=True, slots=True)
class TargetCounters:
    """What a target says of itself. Pools are summed over the sources; a failed look-up is a miss."""

    pool_active: int | None = None
    pool_idle: int | None = None
    pool_waiting: int | None = None
    cache_hits: int | None = None
    cache_misses: int | None = None
    jobs_waiting: int | None = None
    cache_loads: int | None = None
    cache_loads_repeated: int | None = None


_COUNTERS: Final = ("cpu_s", "cache_hits", "cache_misses", "cache_loads", "cache_loads_repeated")


def read_counts(row: MonitorRow) -> dict[str, float]:
    """What a look found of all that only counts up."""
    return {name: value for name in _COUNTERS if (value := getattr(row, name)) is not None}


def count_on(row: MonitorRow, before: Mapping[str, float]) -> MonitorRow:
    """A look at a process, counted on from the counts of the one before it in the same arm."""
    known = {name: count for name, count in before.items() if getattr(row, name) is not None}
    return replace(row, **{name: round(getattr(row, name) + count, _EXACT_DIGITS) for name, count in known.items()})


class TargetProbe:
    """Looks at one target. Never raises."""

    def __init__(self, arm: LoadArm) -> None:
        self.arm = arm.arm
        self._pid = arm.pid
        self._url = f"{arm.base_url.rstrip('/')}/metrics"
        self._headers = {"Authorization": f"Bearer {arm.token}"}
        self._http = urllib3.PoolManager(maxsize=1, retries=False)
        self._tree: list[psutil.Process] = []
        self._looks = 0
        self.answers = 0
        self.answers_s = 0.0
        """Time that it took to answer with its metrics, all answers together."""

    def look(self, second: float) -> MonitorRow:
        """One look."""
        tree, counters = self._read_tree(), self._read_counters()
        return MonitorRow(
            second=second,
            rss_bytes=tree.rss_bytes,
            pss_bytes=tree.pss_bytes,
            cpu_s=tree.cpu_s,
            threads=tree.threads,
            handles=tree.handles,
            pool_active=counters.pool_active,
            pool_idle=counters.pool_idle,
            pool_waiting=counters.pool_waiting,
            cache_hits=counters.cache_hits,
            cache_misses=counters.cache_misses,
            jobs_waiting=counters.jobs_waiting,
            cache_loads=counters.cache_loads,
            cache_loads_repeated=counters.cache_loads_repeated,
        )

    def read_cpu_s(self) -> float | None:
        """CPU seconds of its whole tree so far; None when they cannot be read."""
        return self._read_tree().cpu_s

    def read_phases(self) -> PhaseCounters | None:
        """Where the target's jobs spent their time so far; None when it does not say."""
        text = self._ask("")
        try:
            return None if text is None else parse_phase_counters(text)
        except (ValueError, KeyError):
            return None

    def close(self) -> None:
        """Close its connection."""
        self._http.clear()

    def _read_tree(self) -> TreeReading:
        try:
            if self._looks % _TREE_LOOKS == 0 or not self._tree:
                root = self._tree[0] if self._tree else psutil.Process(self._pid)
                self._tree = [root, *root.children(recursive=True)]
            self._looks += 1
            return read_tree(self._tree)
        except (psutil.Error, OSError):
            self._tree = []
            return TreeReading()

    def _read_counters(self) -> TargetCounters:
        text = self._ask(_ONLY_GAUGES)
        try:
            return TargetCounters() if text is None else parse_counters(text)
        except ValueError:
            return TargetCounters()

    def _ask(self, query: str) -> str | None:
        started_s = time.monotonic()
        try:
            answer = self._http.request("GET", self._url + query, headers=self._headers, timeout=_ANSWER_LIMIT_S)
            text = answer.data.decode() if answer.status == _OK else None
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return None
        self.answers += 1
        self.answers_s += time.monotonic() - started_s
        return text


def read_tree(tree: Sequence[psutil.Process]) -> TreeReading:
    """Sums over a process tree, of which the first is the root. Raises psutil.Error when the root cannot be read.

    A child that ended meanwhile is left out. PSS is None when it cannot be read of every one, as a part would be a lie.
    """
    readings = [_read_process(tree[0])]
    for child in tree[1:]:
        try:
            readings.append(_read_process(child))
        except psutil.Error:
            continue
    pss = [reading.pss_bytes for reading in readings]
    return TreeReading(
        rss_bytes=sum(reading.rss_bytes or 0 for reading in readings),
        pss_bytes=None if None in pss else sum(part or 0 for part in pss),
        cpu_s=round(sum(reading.cpu_s or 0.0 for reading in readings), _EXACT_DIGITS),
        threads=sum(reading.threads or 0 for reading in readings),
        handles=sum(reading.handles or 0 for reading in readings),
    )


def _read_process(process: psutil.Process) -> TreeReading:
    with process.oneshot():
        cpu = process.cpu_times()
        return TreeReading(
            rss_bytes=process.memory_info().rss,
            pss_bytes=_read_pss(process),
            # Children that have ended and been waited for stay in the sum, so that it never falls.
            cpu_s=cpu.user + cpu.system + getattr(cpu, "children_user", 0.0) + getattr(cpu, "children_system", 0.0),
            threads=process.num_threads(),
            handles=process.num_fds(),
        )


def _read_pss(process: psutil.Process) -> int | None:
    try:
        return getattr(process.memory_full_info(), "pss", None)
    except (psutil.AccessDenied, OSError):
        return None


def parse_counters(text: str) -> TargetCounters:
    """The figures of a target's /metrics. Raises ValueError for text that is not Prometheus's."""
    sums: dict[tuple[str, str], int] = {}
    # A target that does not know `name[]` sends everything.
    lines = "\n".join(line for line in text.splitlines() if line.startswith(_WANTED))
    for family in text_string_to_metric_families(lines + "\n"):
        for sample in family.samples:
            label = next((sample.labels[name] for name in _LABELS if name in sample.labels), "")
            key = (sample.name, label)
            sums[key] = sums.get(key, 0) + int(sample.value)
    pool, lookups = "jivsbench_pool_connections", "jivsbench_cache_lookups_total"
    loads = "jivsbench_cache_loads_total"
    due, repeated = sums.get((loads, "due")), sums.get((loads, "repeated"))
    has_lookups = any(name == lookups for name, _label in sums)
    return TargetCounters(
        pool_active=sums.get((pool, "active")),
        pool_idle=sums.get((pool, "idle")),
        pool_waiting=sums.get(("jivsbench_pool_waiting", "")),
        jobs_waiting=sums.get(("jivsbench_jobs_waiting", "")),
        cache_hits=sums.get((lookups, "hit"), 0) if has_lookups else None,
        cache_misses=sums.get((lookups, "miss"), 0) + sums.get((lookups, "error"), 0) if has_lookups else None,
        cache_loads=None if due is None or repeated is None else due + repeated,
        cache_loads_repeated=repeated,
    )
