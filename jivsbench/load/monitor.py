"""Looks at every target once a second from outside: its process tree, and what it says of its pools and its cache.

Runs in the parent, in one thread. What cannot be read is None; a look that fails never disturbs the run.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import psutil
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter, ValidationError

from jivsbench.errors import InvalidRunError
from jivsbench.load.spec import LoadArm
from jivsbench.model.record import MonitorRow

_PERIOD_S: Final = 1.0
_ANSWER_LIMIT_S: Final = 0.8
_TREE_LOOKS: Final = 5  # listing every process of the machine costs ten times as much as reading one
_OK: Final = 200
_NS_PER_S: Final = 1e9

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MonitorLine:
    """One line of monitor.jsonl. `row.second` counts from the monitor's start."""

    arm: str
    row: MonitorRow


def read_monitor(path: Path, arm: str, lead_s: float) -> tuple[MonitorRow, ...]:
    """The looks at one arm that a file holds, in seconds since the load started, which was `lead_s` after the monitor.

    A last line that was cut off, and a file that was never written, hold nothing.
    """
    adapter = TypeAdapter(MonitorLine)
    if not path.is_file():
        return ()
    with path.open("rb") as lines:
        read = (adapter.validate_json(line) for line in lines if line.endswith(b"\n"))
        rows = [replace(line.row, second=line.row.second - lead_s) for line in read if line.arm == arm]
    return tuple(row for row in rows if row.second >= 0)


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


class Monitor:
    """Watches from entry to exit of its block; the first look is taken at once, the last one at the end."""

    def __init__(self, arms: Sequence[LoadArm], path: Path) -> None:
        self._probes = [_Probe(arm) for arm in arms]
        self._rows: dict[str, list[MonitorRow]] = {arm.arm: [] for arm in arms}
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="monitor", daemon=True)
        self._started_ns = time.monotonic_ns()

    def __enter__(self) -> Self:
        self._started_ns = time.monotonic_ns()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def rows(self, arm: str, since_ns: int | None = None) -> tuple[MonitorRow, ...]:
        """Every look at one arm so far. With `since_ns` (monotonic clock) only those since then, in seconds since then."""
        rows = tuple(self._rows[arm])
        if since_ns is None:
            return rows
        offset_s = (since_ns - self._started_ns) / _NS_PER_S
        return tuple(replace(row, second=row.second - offset_s) for row in rows if row.second >= offset_s)

    def _watch(self) -> None:
        try:
            with self._path.open("wb", buffering=0) as lines:
                self._look_until_stopped(lines)
        except Exception:  # noqa: BLE001 - a monitor that breaks must not end a load that measures; its rows so far remain
            _log.exception("the monitor ended early")
        finally:
            for probe in self._probes:
                probe.close()

    def _look_until_stopped(self, lines: IO[bytes]) -> None:
        adapter = TypeAdapter(MonitorLine)
        ticks = 0
        while True:
            is_last = self._stop.is_set()
            for probe in self._probes:
                row = probe.look(self._started_ns)
                self._rows[probe.arm].append(row)
                lines.write(adapter.dump_json(MonitorLine(probe.arm, row)) + b"\n")
            if is_last:
                return
            elapsed_s = (time.monotonic_ns() - self._started_ns) / _NS_PER_S
            # On the grid of the start: a slow look skips ticks, it never shifts them.
            ticks = max(ticks + 1, int(elapsed_s / _PERIOD_S) + 1)
            self._stop.wait(ticks * _PERIOD_S - elapsed_s)


class _Probe:
    """Looks at one target."""

    def __init__(self, arm: LoadArm) -> None:
        self.arm = arm.arm
        self._pid = arm.pid
        self._url = f"{arm.base_url.rstrip('/')}/metrics"
        self._headers = {"Authorization": f"Bearer {arm.token}"}
        self._http = urllib3.PoolManager(maxsize=1, retries=False)
        self._tree: list[psutil.Process] = []
        self._looks = 0

    def look(self, started_ns: int) -> MonitorRow:
        """One look. Never raises."""
        second = (time.monotonic_ns() - started_ns) / _NS_PER_S
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
        )

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
        try:
            answer = self._http.request("GET", self._url, headers=self._headers, timeout=_ANSWER_LIMIT_S)
            return parse_counters(answer.data.decode()) if answer.status == _OK else TargetCounters()
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return TargetCounters()


def read_looks(path: Path) -> tuple[tuple[str, MonitorRow], ...]:
    """The lines of a monitor.jsonl: the arm and the look. Raises InvalidRunError naming the line that cannot be read."""
    adapter = TypeAdapter(MonitorLine)
    looks = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found = adapter.validate_json(line)
        except ValidationError as exc:
            raise InvalidRunError(
                f"line {number} of {path} is not a look at a target: the file was cut short or changed"
            ) from exc
        looks.append((found.arm, found.row))
    return tuple(looks)


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
        cpu_s=sum(reading.cpu_s or 0.0 for reading in readings),
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
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, sample.labels.get("state") or sample.labels.get("result") or "")
            sums[key] = sums.get(key, 0) + int(sample.value)
    pool, lookups = "jivsbench_pool_connections", "jivsbench_cache_lookups_total"
    has_lookups = any(name == lookups for name, _label in sums)
    return TargetCounters(
        pool_active=sums.get((pool, "active")),
        pool_idle=sums.get((pool, "idle")),
        pool_waiting=sums.get(("jivsbench_pool_waiting", "")),
        jobs_waiting=sums.get(("jivsbench_jobs_waiting", "")),
        cache_hits=sums.get((lookups, "hit"), 0) if has_lookups else None,
        cache_misses=sums.get((lookups, "miss"), 0) + sums.get((lookups, "error"), 0) if has_lookups else None,
    )
