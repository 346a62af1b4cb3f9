"""JMeter: the aggregate report (CSV) and the dashboard's `statistics.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from jivsbench.model.claims import Claims, Part, Quantity, Stated
from jivsbench.results.written import build_part, count, figure, percent

AGGREGATE: Final = "JMeter aggregate report"
STATISTICS: Final = "JMeter statistics.json"
# The dashboard keeps the last 20,000 samples of each label for its percentiles, and interpolates between two of them.
_WINDOW: Final = 20_000
_INTERPOLATED_RATIO: Final = 0.05


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
