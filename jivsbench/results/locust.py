"""Locust: `--csv` (statistics and history) and `--json`.

Locust keeps response times as whole ms below 100 and with two digits above, so its percentiles are that exact and no more.
All its rates divide by one time, from the first to the last request of the whole run.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jivsbench.model.claims import Claims, Part, Quantity, Stated, Workload
from jivsbench.results.written import build_part, count, figure, implied_duration, parse_number

STATISTICS: Final = "Locust statistics CSV"
HISTORY: Final = "Locust history CSV"
JSON: Final = "Locust JSON"
_WHOLE: Final = "Aggregated"
_PERCENTILES: Final = {
    "50%": Quantity.P50_MS,
    "75%": Quantity.P75_MS,
    "90%": Quantity.P90_MS,
    "95%": Quantity.P95_MS,
    "99%": Quantity.P99_MS,
}
_ROUNDED_RATIO: Final = 0.05
"""Two digits: 149 ms becomes 150, 104 ms becomes 100."""
_STATED_DIGITS: Final = 2
# The history's first line is written up to a second after the first user started, and its clock shows whole seconds.
_HISTORY_SLACK_S: Final = 3.0


def read_statistics(rows: Sequence[Mapping[str, str]]) -> tuple[Claims, ...]:
    """What `<prefix>_stats.csv` states."""
    whole_row = next((row for row in rows if row["Name"] == _WHOLE), None)
    duration = None
    if whole_row is not None:
        duration = implied_duration(
            count("Request Count", whole_row["Request Count"]), figure("Requests/s", whole_row["Requests/s"])
        )
    parts = tuple(_read_row(row, duration) for row in rows if row is not whole_row)
    whole = _read_row(whole_row, duration) if whole_row is not None else None
    return (Claims(STATISTICS, whole, parts, is_partition=True, percentile_error_ratio=_ROUNDED_RATIO),)


def read_history(rows: Sequence[Mapping[str, str]]) -> tuple[Claims, ...]:
    """What the last line of `<prefix>_stats_history.csv` states of the whole run."""
    whole = [row for row in rows if row["Name"] == _WHOLE]
    if not whole:
        return (Claims(HISTORY, None),)
    last = whole[-1]
    started, ended = (parse_number(row["Timestamp"]) for row in (whole[0], last))
    users = max((parse_number(row["User Count"]) or 0 for row in whole), default=0)
    elapsed = (
        Stated("time from the first to the last line", float(ended - started), _HISTORY_SLACK_S) if started and ended else None
    )
    part = build_part(
        _WHOLE,
        [
            (Quantity.TRIED, count("Total Request Count", last["Total Request Count"])),
            (Quantity.FAILED, count("Total Failure Count", last["Total Failure Count"])),
            (Quantity.MEAN_MS, figure("Total Average Response Time", last["Total Average Response Time"])),
            (Quantity.MIN_MS, figure("Total Min Response Time", last["Total Min Response Time"])),
            (Quantity.MAX_MS, figure("Total Max Response Time", last["Total Max Response Time"])),
            (Quantity.USERS, Stated("User Count", float(users))),
            (Quantity.DURATION_S, elapsed),
        ],
    )
    return (Claims(HISTORY, part, workloads=(Workload("this file", (("users", str(users)),)),)),)


def is_locust(document: object) -> bool:
    """True for a list of Locust's entries."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(entry, dict) and {"num_requests", "response_times"} <= entry.keys() for entry in document)
    )


def read_json(document: Sequence[Mapping[str, Any]]) -> tuple[Claims, ...]:
    """What `--json` states: each entry, and its requests by second and by response time."""
    claims = [Claims(JSON, None, tuple(_read_entry(entry) for entry in document), percentile_error_ratio=_ROUNDED_RATIO)]
    claims += [sums for entry in document for sums in _read_sums(entry)]
    return tuple(claims)


def _read_row(row: Mapping[str, str], duration: Stated | None) -> Part:
    name = f"{row['Type']} {row['Name']}".strip()
    # Events without a response time are counted, and left out of every average: an entry of them alone has 0 for all times.
    is_timed = parse_number(row["Average Response Time"]) != 0 or parse_number(row["Max Response Time"]) != 0
    return build_part(
        name,
        [
            (Quantity.TRIED, count("Request Count", row["Request Count"])),
            (Quantity.FAILED, count("Failure Count", row["Failure Count"])),
            (Quantity.TRIED_PER_S, figure("Requests/s", row["Requests/s"])),
            (Quantity.FAILED_PER_S, figure("Failures/s", row["Failures/s"])),
            (Quantity.DURATION_S, duration),
            *(_read_times(row) if is_timed else ()),
        ],
    )


def _read_times(row: Mapping[str, str]) -> Iterator[tuple[Quantity, Stated | None]]:
    yield Quantity.MEAN_MS, figure("Average Response Time", row["Average Response Time"])
    yield Quantity.MIN_MS, figure("Min Response Time", row["Min Response Time"])
    yield Quantity.MAX_MS, figure("Max Response Time", row["Max Response Time"])
    for key, quantity in _PERCENTILES.items():
        yield quantity, _percentile(key, row.get(key))


def _percentile(name: str, written: object) -> Stated | None:
    number = parse_number(written)
    if number is None:
        return None
    digits = len(str(abs(int(number))))
    return figure(name, number, slack=10.0 ** max(digits - _STATED_DIGITS, 0))


def _read_entry(entry: Mapping[str, Any]) -> Part:
    timed = (parse_number(entry["num_requests"]) or 0) - (parse_number(entry.get("num_none_requests")) or 0)
    total = figure("total_response_time", entry.get("total_response_time"))
    mean = Stated("total_response_time / num_requests", total.value / float(timed)) if total and timed > 0 else None
    return build_part(
        _name(entry),
        [
            (Quantity.TRIED, count("num_requests", entry["num_requests"])),
            (Quantity.FAILED, count("num_failures", entry.get("num_failures"))),
            (Quantity.MEAN_MS, mean),
            (Quantity.MIN_MS, figure("min_response_time", entry.get("min_response_time"))),
            (Quantity.MAX_MS, figure("max_response_time", entry.get("max_response_time"))),
        ],
    )


def _read_sums(entry: Mapping[str, Any]) -> Iterator[Claims]:
    requests = parse_number(entry["num_requests"])
    untimed = parse_number(entry.get("num_none_requests")) or 0
    if requests is None:
        return
    sums = (
        ("response_times", Stated("num_requests - num_none_requests", float(requests - untimed)), Quantity.TRIED),
        ("num_reqs_per_sec", Stated("num_requests", float(requests)), Quantity.TRIED),
        ("num_fail_per_sec", count("num_failures", entry.get("num_failures")), Quantity.FAILED),
    )
    for key, whole, quantity in sums:
        counts = entry.get(key)
        if isinstance(counts, dict) and counts and whole is not None:
            parts = tuple(build_part(f"{key} {label}", [(quantity, count(key, value))]) for label, value in counts.items())
            yield Claims(JSON, build_part(f"{_name(entry)}, {key}", [(quantity, whole)]), parts, is_partition=True)


def _name(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('method') or ''} {entry.get('name') or ''}".strip()
