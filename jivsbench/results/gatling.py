"""Gatling: `js/stats.json`, `js/stats.js` and `js/global_stats.json` of a report.

Counts are exact, response times whole ms, rates three decimals; percentiles come from a t-digest, which interpolates, and is near
and not exact.
Every rate divides by the time of the whole run, which the report itself does not state: that of the whole implies it.
The four percentiles are those of Gatling's own configuration, 50, 75, 95 and 99, unless somebody changed it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jivsbench.model.claims import Claims, Part, Quantity, Stated
from jivsbench.results.percentiles import drop_percentiles, hold_percentiles
from jivsbench.results.written import build_part, count, figure, implied_duration, percent

NAME: Final = "Gatling statistics"
_RATE: Final = "meanNumberOfRequestsPerSecond"
_APPROXIMATE_RATIO: Final = 0.05
_SCRIPT: Final = re.compile(r"\s*var\s+stats\s*=\s*(?=\{)")
# A name may hold any sign: what stands within quotes is passed over whole.
_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
_BRACE: Final = re.compile(rf"{_TEXT}|([{{}}])", re.DOTALL)
_BARE_KEY: Final = re.compile(rf"{_TEXT}|\b([A-Za-z_]\w*)(?=\s*:)", re.DOTALL)


def find_object(text: str) -> str | None:
    """The object of `stats.js` as JSON; None when the text is something else."""
    match = _SCRIPT.match(text)
    if match is None:
        return None
    depth = 0
    for sign in _BRACE.finditer(text, match.end()):
        depth += (sign[1] == "{") - (sign[1] == "}")
        if not depth:
            return _BARE_KEY.sub(_quote_key, text[match.end() : sign.end()])
    return None


def _quote_key(match: re.Match[str]) -> str:
    return f'"{match[1]}"' if match[1] else match[0]


def is_gatling(document: object) -> bool:
    """True for a report's tree, and for its global statistics alone."""
    return isinstance(document, dict) and (
        "numberOfRequests" in document or (document.get("type") == "GROUP" and "stats" in document)
    )


def read_gatling(document: Mapping[str, Any]) -> tuple[Claims, ...]:
    """What a report states: the whole, its requests, and the groups of response times."""
    statistics = document.get("stats", document)
    requests = list(_find_requests(document))
    duration = implied_duration(_read_count(statistics), _read_rate(statistics))
    parts = tuple(_read_statistics(request, duration) for request in requests)
    whole = _read_statistics(statistics, duration)
    claims = [Claims(NAME, drop_percentiles(whole), parts, is_partition=bool(parts))]
    claims += hold_percentiles(NAME, whole, parts, _APPROXIMATE_RATIO)
    return (*claims, *(groups for each in (statistics, *requests) for groups in _read_groups(each)))


def _find_requests(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    contents = node.get("contents")
    for child in contents.values() if isinstance(contents, dict) else ():
        if child.get("type") == "REQUEST":
            yield child["stats"]
        else:
            yield from _find_requests(child)


def _find(statistics: Mapping[str, Any], key: str, column: str = "total") -> object:
    values = statistics.get(key)
    return values.get(column) if isinstance(values, dict) else None


def _read_count(statistics: Mapping[str, Any]) -> Stated | None:
    return count("numberOfRequests.total", _find(statistics, "numberOfRequests"))


def _read_rate(statistics: Mapping[str, Any], column: str = "total") -> Stated | None:
    return figure(f"{_RATE}.{column}", _find(statistics, _RATE, column))


def _read_statistics(statistics: Mapping[str, Any], duration: Stated | None) -> Part:
    def of(key: str, column: str = "total") -> object:
        return _find(statistics, key, column)

    return build_part(
        str(statistics.get("name", "")),
        [
            (Quantity.TRIED, _read_count(statistics)),
            (Quantity.SUCCEEDED, count("numberOfRequests.ok", of("numberOfRequests", "ok"))),
            (Quantity.FAILED, count("numberOfRequests.ko", of("numberOfRequests", "ko"))),
            (Quantity.TRIED_PER_S, _read_rate(statistics)),
            (Quantity.FAILED_PER_S, _read_rate(statistics, "ko")),
            (Quantity.DURATION_S, duration),
            (Quantity.MIN_MS, figure("minResponseTime", of("minResponseTime"))),
            (Quantity.MEAN_MS, figure("meanResponseTime", of("meanResponseTime"))),
            (Quantity.P50_MS, figure("percentiles1", of("percentiles1"))),
            (Quantity.P75_MS, figure("percentiles2", of("percentiles2"))),
            (Quantity.P95_MS, figure("percentiles3", of("percentiles3"))),
            (Quantity.P99_MS, figure("percentiles4", of("percentiles4"))),
            (Quantity.MAX_MS, figure("maxResponseTime", of("maxResponseTime"))),
        ],
    )


def _read_groups(statistics: Mapping[str, Any]) -> Iterator[Claims]:
    groups = {key: group for key in ("group1", "group2", "group3", "group4") if isinstance(group := statistics.get(key), dict)}
    tried: Stated | None = count("numberOfRequests.total", statistics.get("numberOfRequests", {}).get("total"))
    if len(groups) < 4 or tried is None:  # noqa: PLR2004 - fewer do not make up the whole
        return
    parts = tuple(
        build_part(
            f"{statistics.get('name', '')}, {group.get('name', key)}",
            [
                (Quantity.FAILED, count(f"{key}.count", group.get("count"))),
                (Quantity.TRIED, tried),
                (Quantity.ERROR_RATIO, percent(f"{key}.percentage", group.get("percentage"))),
            ],
        )
        for key, group in groups.items()
    )
    yield Claims(NAME, None, parts)
    counted = tuple(build_part(part.name, [(Quantity.TRIED, part.get(Quantity.FAILED))]) for part in parts)
    yield Claims(NAME, build_part(str(statistics.get("name", "")), [(Quantity.TRIED, tried)]), counted, is_partition=True)
