"""The section [workload] of a scenario: what one user does, how long it thinks in between, and what feeds it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jivsbench.config.document import Section
from jivsbench.config.duration import LONGEST_DAYS, LONGEST_S, parse_duration
from jivsbench.config.feeds import FEED_SUFFIXES, read_feed
from jivsbench.errors import ConfigError
from jivsbench.model.scenario import FeedFacts, MixAction, MixEntry, SourceKind, ThinkTime, WorkloadSpec

MIXED: Final = "mixed"
WORKLOAD_KEYS: Final = (
    *("name", "table", "rows", "key", "mix", "feed"),
    *("think_time", "think_time_distribution", "think_time_spread"),
)
_WEIGHT_MOST: Final = 1_000_000.0
_MIX_KEYS: Final = ("action", "weight", "source", "rows")
_DERIVED_SOURCES: Final = (SourceKind.FILES, SourceKind.REST)


def read_workload(section: Section) -> WorkloadSpec:
    """Raises ConfigError with file, line and key."""
    section.expect(WORKLOAD_KEYS)
    mix = tuple(_read_mix(section))
    name = section.required_text("name")
    if bool(mix) != (name == MIXED):
        section.fail("mix" if mix else "name", f"a mix is what the workload {MIXED!r} plays: name it, and add [[workload.mix]]")
    if mix and "feed" in section:
        section.fail("feed", "a feed says what each iteration asks for, and so does a mix: keep one of them")
    think_time_s = read_duration(section, "think_time") if "think_time" in section else 0.0
    think_time = ThinkTime(section.choice("think_time_distribution", tuple(ThinkTime), ThinkTime.CONSTANT))
    spread_s = read_duration(section, "think_time_spread") if "think_time_spread" in section else 0.0
    if think_time is not ThinkTime.CONSTANT and not think_time_s:
        section.fail("think_time_distribution", "it needs a mean: add think_time")
    if bool(spread_s) != (think_time is ThinkTime.UNIFORM):
        key = "think_time_spread" if spread_s else "think_time_distribution"
        section.fail(key, "a uniform think time, and no other, has a think_time_spread: add it, or leave both out")
    if spread_s > think_time_s:
        section.fail("think_time_spread", "it is greater than think_time, and no time is below 0: make it smaller")
    return WorkloadSpec(
        name=name,
        table=section.required_text("table"),
        rows=max((entry.rows for entry in mix), default=0) or section.integer("rows"),
        key=section.text("key") or "id",
        think_time_s=think_time_s,
        think_time=think_time,
        think_time_spread_s=spread_s,
        mix=mix,
        feed=_read_feed_facts(section),
    )


def read_duration(section: Section, key: str) -> float:
    """Seconds, a year at most. Raises ConfigError with file, line and key."""
    text = section.required_text(key)
    try:
        duration_s = parse_duration(text)
    except ConfigError as exc:
        section.fail(key, str(exc))
    if duration_s > LONGEST_S:
        section.fail(key, f"it must be {LONGEST_DAYS} days ({LONGEST_DAYS * 24}h) or less")
    return duration_s


def feed_path(folder: Path, facts: FeedFacts) -> Path:
    """Where a feed lies: beside its scenario."""
    return folder / facts.name


def _read_mix(section: Section) -> Iterator[MixEntry]:
    entries = section.sections("mix")
    if entries and "rows" in section:
        section.fail("rows", "each extraction of a mix has rows of its own: leave this key out")
    for part in entries:
        part.expect(_MIX_KEYS)
        action = MixAction(part.choice("action", tuple(MixAction), MixAction.EXTRACTION))
        for key in ("source", "rows"):
            if key in part and action is not MixAction.EXTRACTION:
                part.fail(key, f"only an extraction has it, and this is {str(action)!r}: leave it out")
        is_extraction = action is MixAction.EXTRACTION
        source = SourceKind(part.choice("source", tuple(SourceKind), SourceKind.DATABASE))
        yield MixEntry(action, part.number("weight", most=_WEIGHT_MOST), source, part.integer("rows") if is_extraction else 0)
    if entries and not any("rows" in part for part in entries):
        section.fail("mix", "no entry is an extraction, so no rows would come: add one with rows")


def _read_feed_facts(section: Section) -> FeedFacts | None:
    name = section.text("feed")
    if name is None:
        return None
    if Path(name).name != name or not name.endswith(FEED_SUFFIXES):
        section.fail("feed", f"it is the name of a file beside the scenario that ends in {' or '.join(FEED_SUFFIXES)}")
    return read_feed(section.folder / name).facts


def list_derived_kinds(workload: WorkloadSpec) -> tuple[SourceKind, ...]:
    """The kinds of sources beside the database that a mix extracts from."""
    return tuple(kind for kind in _DERIVED_SOURCES if any(entry.source is kind for entry in workload.mix))
