"""k6: what `handleSummary` is given (`{"metrics": {"http_reqs": {"values": {...}}}}`) and what `--summary-export` writes (flat).

Two traps of the format: of `http_req_failed` it is `passes` that counts the failed requests, and in the flat form a threshold
that is `true` was crossed (grafana/k6 issues 2386 and 1498). Its figures are written to the last bit, so none has any slack.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jivsbench.model.claims import Claims, Criterion, Part, Quantity, Stated, Workload
from jivsbench.model.gate import Comparator
from jivsbench.results.written import build_part, count, exact, find_marks, implied_duration

NAME: Final = "k6 summary"
_THRESHOLD: Final = re.compile(r"\s*(p\([\d.]+\)|avg|min|max|med|rate|count|value)\s*(<=|>=|<|>)\s*([\d.]+)\s*")
_TREND: Final = {
    "min": Quantity.MIN_MS,
    "avg": Quantity.MEAN_MS,
    "med": Quantity.P50_MS,
    "p(75)": Quantity.P75_MS,
    "p(90)": Quantity.P90_MS,
    "p(95)": Quantity.P95_MS,
    "p(99)": Quantity.P99_MS,
    "max": Quantity.MAX_MS,
}


def is_k6(document: object) -> bool:
    """True for a document with k6's metrics."""
    return isinstance(document, dict) and isinstance(document.get("metrics"), dict)


def read_k6(document: Mapping[str, Any]) -> tuple[Claims, ...]:
    """What a summary states."""
    metrics = {name: _values(metric) for name, metric in document["metrics"].items() if isinstance(metric, dict)}
    duration = _read_duration(document, metrics)
    requests, users = metrics.get("http_reqs", {}), metrics.get("vus_max", {})
    whole = build_part(
        "http_reqs",
        [
            (Quantity.TRIED, count("http_reqs.count", requests.get("count"))),
            (Quantity.TRIED_PER_S, exact("http_reqs.rate", requests.get("rate"))),
            (Quantity.DURATION_S, duration),
        ],
    )
    most_users = exact("vus_max", users.get("max", users.get("value")))
    iterations, per_iteration = metrics.get("iterations", {}), metrics.get("iteration_duration", {})
    parts = [
        build_part(
            "iterations",
            [
                (Quantity.TRIED, count("iterations.count", iterations.get("count"))),
                (Quantity.TRIED_PER_S, exact("iterations.rate", iterations.get("rate"))),
                (Quantity.DURATION_S, duration),
                (Quantity.USERS, most_users),
                *_read_trend("iteration_duration", per_iteration),
            ],
        ),
        *(build_part(name, _read_trend(name, values)) for name, values in metrics.items() if "avg" in values),
        *(_read_rate(name, values) for name, values in metrics.items() if {"passes", "fails"} <= values.keys()),
    ]
    top = {key: value for key, value in document.items() if not isinstance(value, dict | list)}
    workload = (("users", f"{most_users.value:g}"),) if most_users else ()
    return (
        Claims(
            NAME,
            whole,
            tuple(parts),
            criteria=tuple(_read_thresholds(document["metrics"], metrics)),
            workloads=(Workload("this file", workload),) if workload else (),
            marks=tuple(find_marks(top)),
        ),
    )


def _values(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    values = metric.get("values", metric)
    return values if isinstance(values, dict) else {}


def _read_duration(document: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]]) -> Stated | None:
    state = document.get("state")
    stated = exact("state.testRunDurationMs", state.get("testRunDurationMs"), 0.001) if isinstance(state, dict) else None
    if stated is not None:
        return stated
    requests = metrics.get("http_reqs", {})
    return implied_duration(count("http_reqs.count", requests.get("count")), exact("http_reqs.rate", requests.get("rate")))


def _read_trend(name: str, values: Mapping[str, Any]) -> Iterator[tuple[Quantity, Stated | None]]:
    for key, quantity in _TREND.items():
        yield quantity, exact(f"{name}.{key}", values.get(key))


def _read_rate(name: str, values: Mapping[str, Any]) -> Part:
    passes, fails = count(f"{name}.passes", values["passes"]), count(f"{name}.fails", values["fails"])
    both = Stated("passes + fails", passes.value + fails.value, implied_by=(passes, fails)) if passes and fails else None
    key = "rate" if "rate" in values else "value"
    return build_part(
        name,
        [
            (Quantity.FAILED, passes),
            (Quantity.TRIED, both),
            (Quantity.ERROR_RATIO, exact(f"{name}.{key}", values.get(key))),
        ],
    )


def _read_thresholds(raw: Mapping[str, Any], metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[Criterion]:
    for name, values in metrics.items():
        thresholds = raw[name].get("thresholds")
        for text, end in thresholds.items() if isinstance(thresholds, dict) else ():
            match = _THRESHOLD.fullmatch(text)
            is_met = end.get("ok") if isinstance(end, dict) else not end
            value = exact(f"{name}.{match[1]}", values.get(match[1])) if match else None
            if match and value and isinstance(is_met, bool):
                yield Criterion(f"{name}: {text}", value, Comparator(match[2]), Stated("limit", float(match[3])), is_met)
