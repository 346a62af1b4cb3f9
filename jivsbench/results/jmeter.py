"""JMeter: the sample log (CSV, `-l`), the aggregate report (CSV) and the dashboard's `statistics.json`.

A sample log states no figures of its own but the samples: what is audited is whether they can have happened. Rows of transaction
controllers repeat the time of the samples within them and are left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from jivsbench.errors import ConfigError
from jivsbench.model.claims import Claims, Part, Quantity, Stated, Workload
from jivsbench.results.written import build_part, count, figure, parse_number, percent

LOG: Final = "JMeter sample log"
AGGREGATE: Final = "JMeter aggregate report"
STATISTICS: Final = "JMeter statistics.json"
# The dashboard keeps the last 20,000 samples of each label for its percentiles, and interpolates between two of them.
_WINDOW: Final = 20_000
_INTERPOLATED_RATIO: Final = 0.05
_TRANSACTION: Final = "Number of samples in transaction"


def is_statistics(document: object) -> bool:
    """True for the dashboard's statistics."""
    return (
        isinstance(document, dict)
        and bool(document)
        and all(isinstance(entry, dict) and {"transaction", "sampleCount"} <= entry.keys() for entry in document.values())
    )


def read_statistics(document: Mapping[str, Mapping[str, Any]]) -> tuple[Claims, ...]:
    """What the dashboard states of each label and of all."""
    parts = tuple(_read_entry(entry) for name, entry in document.items() if name != "Total")
    whole = _read_entry(document["Total"]) if "Total" in document else None
    counted = whole.get(Quantity.TRIED) if whole else None
    if whole is not None and counted and counted.value > _WINDOW:
        whole = Part(whole.name, tuple(known for known in whole.figures if not known[0].value.startswith("p")))
    claims = Claims(STATISTICS, whole, parts, is_partition=whole is not None, percentile_error_ratio=_INTERPOLATED_RATIO)
    return (claims,)


def read_aggregate(rows: Sequence[Mapping[str, str]]) -> tuple[Claims, ...]:
    """What an aggregate report states."""
    parts = tuple(_read_line(row) for row in rows if row["Label"] != "TOTAL")
    whole = next((_read_line(row) for row in rows if row["Label"] == "TOTAL"), None)
    return (Claims(AGGREGATE, whole, parts, is_partition=whole is not None, percentile_error_ratio=_INTERPOLATED_RATIO),)


def read_log(rows: Iterable[Mapping[str, str]]) -> tuple[Claims, ...]:
    """What the samples of a log amount to. Raises ConfigError for a line that is no sample."""
    total = _Total()
    labels: dict[str, _Total] = {}
    for number, row in enumerate(rows, start=2):
        if (row.get("responseMessage") or "").startswith(_TRANSACTION):
            continue
        sample = _read_sample(number, row)
        total.add(sample)
        labels.setdefault(row.get("label") or "", _Total()).add(sample)
    parts = tuple(part.build(name) for name, part in (("all samples", total), *labels.items()))
    users = (Workload("this file", (("users", str(total.users)),)),) if total.users else ()
    return (Claims(LOG, None, parts, workloads=users), *total.list_impossible())


@dataclass(frozen=True, slots=True)
class _Sample:
    line: int
    start_ms: int
    elapsed_ms: int
    latency_ms: int | None
    connect_ms: int | None
    users: int


@dataclass(slots=True)
class _Total:
    """Samples counted together. What cannot have happened is kept as it stands."""

    tried: int = 0
    busy_ms: int = 0
    most_ms: int = 0
    first_ms: int = 0
    last_ms: int = 0
    users: int = 0
    worst: list[_Sample] = field(default_factory=list)

    def add(self, sample: _Sample) -> None:
        end_ms = sample.start_ms + sample.elapsed_ms
        self.first_ms = min(self.first_ms, sample.start_ms) if self.tried else sample.start_ms
        self.last_ms, self.most_ms = max(self.last_ms, end_ms), max(self.most_ms, sample.elapsed_ms)
        self.tried += 1
        self.busy_ms += sample.elapsed_ms
        self.users = max(self.users, sample.users)
        ladder = [part for part in (sample.connect_ms, sample.latency_ms, sample.elapsed_ms) if part is not None]
        if ladder != sorted(ladder) or not self.worst:
            self.worst.append(sample)

    def build(self, name: str) -> Part:
        """What can fail: counts and means of the same samples agree whatever they say, so they prove nothing."""
        return build_part(
            name,
            [
                (Quantity.MAX_MS, Stated("greatest elapsed", self.most_ms)),
                (Quantity.BUSY_S, Stated("sum of elapsed", self.busy_ms / 1000, self.tried / 1000)),
                (Quantity.DURATION_S, Stated("first start to last end", (self.last_ms - self.first_ms) / 1000, 0.001)),
                (Quantity.USERS, Stated("allThreads", self.users) if self.users else None),
            ],
        )

    def list_impossible(self) -> Iterator[Claims]:
        """Samples whose parts take longer than the whole, and one that stands for all others."""
        for sample in self.worst:
            figures = (
                (Quantity.MIN_MS, sample.connect_ms, "Connect"),
                (Quantity.P50_MS, sample.latency_ms, "Latency"),
                (Quantity.MAX_MS, sample.elapsed_ms, "elapsed"),
            )
            part = build_part(
                f"line {sample.line}",
                [(quantity, None if value is None else Stated(name, value)) for quantity, value, name in figures],
            )
            yield Claims(LOG, None, (part,))


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
        line,
        int(start),
        int(elapsed),
        optional("Latency"),
        optional("Connect"),
        optional("allThreads") or 0,
    )


def _read_entry(entry: Mapping[str, Any]) -> Part:
    return build_part(
        str(entry["transaction"]),
        [
            (Quantity.TRIED, count("sampleCount", entry["sampleCount"])),
            (Quantity.FAILED, count("errorCount", entry.get("errorCount"))),
            (Quantity.ERROR_RATIO, _read_float(percent("errorPct", entry.get("errorPct")))),
            (Quantity.MIN_MS, figure("minResTime", entry.get("minResTime"))),
            (Quantity.MEAN_MS, figure("meanResTime", entry.get("meanResTime"))),
            (Quantity.P50_MS, figure("medianResTime", entry.get("medianResTime"))),
            (Quantity.P90_MS, figure("pct1ResTime", entry.get("pct1ResTime"))),
            (Quantity.P95_MS, figure("pct2ResTime", entry.get("pct2ResTime"))),
            (Quantity.P99_MS, figure("pct3ResTime", entry.get("pct3ResTime"))),
            (Quantity.MAX_MS, figure("maxResTime", entry.get("maxResTime"))),
        ],
    )


def _read_float(stated: Stated | None) -> Stated | None:
    """Written whole, from a 32 bit number, which keeps seven digits: as exact as these, however few of them it takes."""
    return None if stated is None else replace(stated, slack=abs(stated.value) * 1e-6)


def _read_line(row: Mapping[str, str]) -> Part:
    columns = {
        Quantity.MEAN_MS: "Average",
        Quantity.P50_MS: "Median",
        Quantity.P90_MS: "90% Line",
        Quantity.P95_MS: "95% Line",
        Quantity.P99_MS: "99% Line",
        Quantity.MIN_MS: "Min",
        Quantity.MAX_MS: "Max",
    }
    return build_part(
        row["Label"],
        [
            (Quantity.TRIED, count("# Samples", row.get("# Samples"))),
            (Quantity.ERROR_RATIO, percent("Error %", row.get("Error %"))),
            *((quantity, figure(column, row.get(column))) for quantity, column in columns.items()),
        ],
    )
