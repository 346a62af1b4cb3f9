"""JMeter: the aggregate report (CSV) and the dashboard's `statistics.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from jivsbench.model.claims import Claims, Part, Quantity, Stated
from jivsbench.results.percentiles import drop_percentiles, hold_percentiles
from jivsbench.results.written import build_part, count, figure, percent

AGGREGATE: Final = "JMeter aggregate report"
STATISTICS: Final = "JMeter statistics.json"
# The dashboard keeps the last 20,000 samples of each label for its percentiles.
_WINDOW: Final = 20_000
_SEARCHED: Final = 10**8


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
    if "Total" not in document:
        return (Claims(STATISTICS, None, parts),)
    whole = _read_entry(document["Total"])
    counted = whole.get(Quantity.TRIED)
    held = drop_percentiles(whole) if counted and counted.value > _WINDOW else whole
    return _hold(STATISTICS, held, parts, is_partition=not _may_hold_controllers(whole, parts))


def read_aggregate(rows: Sequence[Mapping[str, str]]) -> tuple[Claims, ...]:
    """What an aggregate report states."""
    parts = tuple(_read_line(row) for row in rows if row["Label"] != "TOTAL")
    whole = next((_read_line(row) for row in rows if row["Label"] == "TOTAL"), None)
    return _hold(AGGREGATE, whole, parts, is_partition=True) if whole is not None else (Claims(AGGREGATE, None, parts),)


def _hold(name: str, whole: Part, parts: tuple[Part, ...], *, is_partition: bool) -> tuple[Claims, ...]:
    return (
        Claims(name, drop_percentiles(whole), parts, is_partition=is_partition),
        *hold_percentiles(name, whole, parts),
    )


def _may_hold_controllers(whole: Part, parts: Sequence[Part]) -> bool:
    """Whether some entries can be transaction controllers, which the dashboard leaves out of its total and does not mark."""
    total = whole.get(Quantity.TRIED)
    known = [int(tried.value) for part in parts if (tried := part.get(Quantity.TRIED)) is not None]
    excess = sum(known) - int(total.value) if total is not None else 0
    if not 0 < excess <= _SEARCHED:
        return excess > 0
    # Bit n is set when some of the counts add up to n.
    sums = 1
    for tried_here in known:
        if 0 < tried_here <= excess:
            sums |= (sums << tried_here) & ((1 << (excess + 1)) - 1)
    return bool(sums >> excess & 1)


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
