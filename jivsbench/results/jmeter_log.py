"""JMeter: the sample log (CSV, `-l`).

It states no figures of its own but the samples: what is audited is whether they can have happened. Time that another row tells
already is not counted once more: that of transaction controllers, and of the sub-results (redirects, embedded resources) that
JMeter writes after their parent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from jivsbench.errors import ConfigError
from jivsbench.model.claims import Claims, Part, Quantity, Stated, Workload
from jivsbench.results.written import build_part, parse_number

NAME: Final = "JMeter sample log"
_TRANSACTION: Final = "Number of samples in transaction"
# JMeter calls the parts of `Home` `Home-0`, `Home-1`, and those of `Home-1` again `Home-1-0`.
_SUB_LABEL: Final = re.compile(r"(?:-\d+)+")
_DISTRIBUTED_THREAD: Final = re.compile(r"(.+)-([^-]* \d+)-\d+")
_THREADS_KEPT: Final = 10_000
"""Sub-results follow their parent at once: only rows of this many other threads could come in between."""
_IMPOSSIBLE_KEPT: Final = 100
_ROUNDING_MS: Final = 1
"""A part's times are read off a clock that is set anew now and then: it may stick out of its parent by that much."""


def read_log(rows: Iterable[Mapping[str, str]]) -> tuple[Claims, ...]:
    """What the samples of a log amount to. Raises ConfigError for a line that is no sample."""
    total, impossible, generators, threads = _Total(), _Impossible(), _Generators(), _Threads()
    labels: dict[str, _Total] = {}
    for number, row in enumerate(rows, start=2):
        if (row.get("responseMessage") or "").startswith(_TRANSACTION):
            continue
        sample = _read_sample(number, row)
        impossible.look_at(sample)
        generators.add(sample)
        if threads.have_counted(sample):
            continue
        total.add(sample)
        labels.setdefault(sample.label, _Total()).add(sample)
    count = generators.count
    parts = tuple(part.build(name, count) for name, part in (("all samples", total), *labels.items()))
    users = (Workload("this file", (("users", str(total.users * count)),)),) if total.users else ()
    return (Claims(NAME, None, parts, workloads=users), *impossible.list_claims())


@dataclass(frozen=True, slots=True)
class _Sample:
    line: int
    label: str
    thread: str | None
    host: str
    start_ms: int
    elapsed_ms: int
    end_ms: int
    """Pauses included, which `elapsed` leaves out."""
    latency_ms: int | None
    connect_ms: int | None
    users: int

    def is_within(self, other: "_Sample") -> bool:
        """Nobody starts the next sample before the former one ended: such a row is a part of it."""
        return other.start_ms - _ROUNDING_MS <= self.start_ms < other.end_ms and self.end_ms <= other.end_ms + _ROUNDING_MS

    def is_around(self, other: "_Sample") -> bool:
        """As a transaction controller's row is, which comes after its samples: without its message only its time tells."""
        return self.start_ms <= other.start_ms and self.start_ms < other.end_ms <= self.end_ms

    def is_named_after(self, other: "_Sample") -> bool:
        """As its part: a log may have no threads, and what a pool downloads can bear the name of the pool's thread."""
        return self.label.startswith(other.label) and _SUB_LABEL.fullmatch(self.label, len(other.label)) is not None


@dataclass(slots=True)
class _Threads:
    """The row last counted of each thread, and of all."""

    last: dict[tuple[str, str], _Sample] = field(default_factory=dict)
    newest: _Sample | None = None

    def have_counted(self, sample: _Sample) -> bool:
        """True when the time of the sample was counted with another row; otherwise it is the one to count."""
        if self.newest is not None and sample.is_named_after(self.newest) and sample.is_within(self.newest):
            return True
        if sample.thread:
            before = self.last.pop((sample.host, sample.thread), None)
            is_known = before is not None and (sample.is_within(before) or sample.is_around(before))
            self._keep(before if before is not None and is_known else sample, (sample.host, sample.thread))
            if is_known:
                return True
        self.newest = sample
        return False

    def _keep(self, sample: _Sample, thread: tuple[str, str]) -> None:
        self.last[thread] = sample
        if len(self.last) > _THREADS_KEPT:
            del self.last[next(iter(self.last))]


@dataclass(slots=True)
class _Generators:
    """The machines of a distributed test. Each counts its own threads: `allThreads` of one says nothing of the others."""

    hosts: set[str] = field(default_factory=set)
    places: dict[str, set[str]] = field(default_factory=dict)
    """By thread group, as `Group 1`: what stands before it in the names of threads, as in `10.0.0.1:1099-Group 1-7`."""

    def add(self, sample: _Sample) -> None:
        self.hosts.add(sample.host)
        match = _DISTRIBUTED_THREAD.fullmatch(sample.thread or "")
        if match is not None:
            self.places.setdefault(match[2], set()).add(match[1])

    @property
    def count(self) -> int:
        """How many there were, as far as it can be told."""
        return max(1, len(self.hosts), *map(len, self.places.values()))


@dataclass(slots=True)
class _Total:
    """Samples counted together."""

    tried: int = 0
    busy_ms: int = 0
    most_ms: int = 0
    first_ms: int = 0
    last_ms: int = 0
    users: int = 0

    def add(self, sample: _Sample) -> None:
        self.first_ms = min(self.first_ms, sample.start_ms) if self.tried else sample.start_ms
        self.last_ms, self.most_ms = max(self.last_ms, sample.end_ms), max(self.most_ms, sample.elapsed_ms)
        self.tried += 1
        self.busy_ms += sample.elapsed_ms
        self.users = max(self.users, sample.users)

    def build(self, name: str, generators: int) -> Part:
        """What can fail: counts and means of the same samples agree whatever they say, so they prove nothing."""
        users = "allThreads" if generators == 1 else f"allThreads on {generators} machines"
        return build_part(
            name,
            [
                (Quantity.MAX_MS, Stated("greatest elapsed", self.most_ms)),
                (Quantity.BUSY_S, Stated("sum of elapsed", self.busy_ms / 1000, self.tried / 1000)),
                (Quantity.DURATION_S, Stated("first start to last end", (self.last_ms - self.first_ms) / 1000, 0.001)),
                (Quantity.USERS, Stated(users, self.users * generators) if self.users else None),
            ],
        )


@dataclass(slots=True)
class _Impossible:
    """Samples whose parts take longer than the whole, the first of them; and the log's first, for those of which they do not."""

    kept: list[_Sample] = field(default_factory=list)
    further: int = 0

    def look_at(self, sample: _Sample) -> None:
        ladder = [part for part in (sample.connect_ms, sample.latency_ms, sample.elapsed_ms) if part is not None]
        if self.kept and ladder == sorted(ladder):
            return
        if len(self.kept) < _IMPOSSIBLE_KEPT:
            self.kept.append(sample)
        else:
            self.further += 1

    def list_claims(self) -> Iterator[Claims]:
        """One of each sample; the last one tells how many more there are."""
        for sample in self.kept:
            figures = (
                (Quantity.MIN_MS, sample.connect_ms, "Connect"),
                (Quantity.P50_MS, sample.latency_ms, "Latency"),
                (Quantity.MAX_MS, sample.elapsed_ms, "elapsed"),
            )
            more = f" and {self.further:,} later ones like it" if self.further and sample is self.kept[-1] else ""
            part = build_part(
                f"line {sample.line}{more}",
                [(quantity, None if value is None else Stated(name, value)) for quantity, value, name in figures],
            )
            yield Claims(NAME, None, (part,))


def _read_sample(line: int, row: Mapping[str, str]) -> _Sample:
    start, elapsed = parse_number(row.get("timeStamp")), parse_number(row.get("elapsed"))
    if start is None or elapsed is None:
        raise ConfigError(
            f"line {line} has no timeStamp in ms or no elapsed: save the log with jmeter.save.saveservice.timestamp_format=ms"
        )

    def optional(column: str) -> int | None:
        number = parse_number(row.get(column))
        return None if number is None else int(number)

    return _Sample(
        line=line,
        label=row.get("label") or "",
        thread=row.get("threadName"),
        host=row.get("Hostname") or "",
        start_ms=int(start),
        elapsed_ms=int(elapsed),
        end_ms=int(start) + int(elapsed) + (optional("IdleTime") or 0),
        # 0 stands for a latency that nobody measured, as of a connection that failed, whose Connect is the time until then.
        latency_ms=optional("Latency") or None,
        connect_ms=optional("Connect"),
        users=optional("allThreads") or 0,
    )
