"""Coverage files: Cobertura and JaCoCo XML, coverage.py's JSON, and LCOV. Counts are read, never rates that somebody rounded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jivsbench.errors import ConfigError
from jivsbench.model.inputs import Coverage
from jivsbench.results.written import load_json, parse_count, read_text
from jivsbench.results.xml_events import read_count, read_xml


def read_coverage(path: Path) -> Coverage:
    """The covered and all lines and branches. Raises ConfigError for what is none of these formats, or cannot be."""
    text = read_text(path, "replace").lstrip()
    if text.startswith("<"):
        coverage = _read_xml(path)
    elif text.startswith("{"):
        coverage = _read_json(path, text)
    else:
        coverage = _read_lcov(path, text)
    for covered, everything in (
        (coverage.lines_covered, coverage.lines),
        (coverage.branches_covered or 0, coverage.branches or 0),
    ):
        if not 0 <= covered <= everything:
            raise ConfigError(f"{path} says that {covered} of {everything} are covered, which cannot be")
    return coverage


def _read_xml(path: Path) -> Coverage:
    found: dict[str, Coverage] = {}
    totals: dict[str, tuple[int, int]] = {}

    def start(name: str, attributes: Mapping[str, str]) -> None:
        if name == "coverage" and "lines-valid" in attributes:
            branches = read_count(path, attributes, "branches-valid") if "branches-valid" in attributes else 0
            found["cobertura"] = Coverage(
                path.name,
                read_count(path, attributes, "lines-covered"),
                read_count(path, attributes, "lines-valid"),
                read_count(path, attributes, "branches-covered") if branches else None,
                branches or None,
            )
        elif name == "counter":
            # JaCoCo writes the counters of a class before those of its package, and the report's last: the last is the whole.
            covered, missed = read_count(path, attributes, "covered"), read_count(path, attributes, "missed")
            totals[attributes.get("type", "")] = (covered, covered + missed)

    root = read_xml(path, start)
    if "cobertura" in found:
        return found["cobertura"]
    if root == "report" and "LINE" in totals:
        covered, lines = totals["LINE"]
        return Coverage(path.name, covered, lines, *totals.get("BRANCH", (None, None)))
    raise ConfigError(f"{path} is neither Cobertura nor JaCoCo XML (its root is <{root}>): write one of them, JSON or LCOV")


def _read_json(path: Path, text: str) -> Coverage:
    try:
        document: Any = load_json(text)
    except ConfigError as exc:
        raise ConfigError(f"{path}: {exc}") from None
    try:
        totals = document["totals"]
        branches = _count(path, "num_branches", totals["num_branches"]) if "num_branches" in totals else 0
        return Coverage(
            path.name,
            _count(path, "covered_lines", totals["covered_lines"]),
            _count(path, "num_statements", totals["num_statements"]),
            _count(path, "covered_branches", totals["covered_branches"]) if branches else None,
            branches or None,
        )
    except (KeyError, TypeError):
        raise ConfigError(
            f"{path} is not the JSON of coverage.py: it lacks totals.covered_lines or totals.num_statements"
        ) from None


def _read_lcov(path: Path, text: str) -> Coverage:
    sums = dict.fromkeys(("LF", "LH", "BRF", "BRH"), 0)
    ended = False
    for line in text.splitlines():
        key, _, number = line.partition(":")
        if key in sums:
            sums[key] += _count(path, key, number)
        ended = ended or line.strip() == "end_of_record"
    if not ended:
        raise ConfigError(f"{path} is no coverage file that is known: write Cobertura or JaCoCo XML, coverage.py's JSON, or LCOV")
    return Coverage(path.name, sums["LH"], sums["LF"], sums["BRH"] if sums["BRF"] else None, sums["BRF"] or None)


def _count(path: Path, name: str, written: object) -> int:
    found = parse_count(written)
    if found is None:
        raise ConfigError(f"{path}: {name} is no whole number of things: it is not of the expected format")
    return found
