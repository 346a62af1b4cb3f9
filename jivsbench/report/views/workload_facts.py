"""What the users did, in words: rows or mix, think time, feed, and what the sources beside the database really are."""

from jivsbench.model.formatting import format_count, format_duration, format_share
from jivsbench.model.record import Plan
from jivsbench.model.scenario import MixAction, MixEntry, ThinkTime, WorkloadSpec

_LOOKS = {
    MixAction.LIST: "a page of 20 jobs",
    MixAction.STATISTICS: "statistics of a listed job",
    MixAction.LOGS: "the log of a listed job",
}


def describe_workload(workload: WorkloadSpec) -> str:
    """Which iterations, and how often each."""
    if not workload.mix:
        fed = ", asked for as the feed says" if workload.feed else ""
        return f"{workload.name}, {format_count(workload.rows)} rows of {workload.table} per job{fed}"
    total = sum(entry.weight for entry in workload.mix)
    parts = [f"{format_share(round(entry.weight * 1e6), round(total * 1e6))} {_describe_entry(entry)}" for entry in workload.mix]
    return f"{workload.name} over {workload.table}: {', '.join(parts)}"


def describe_think_time(workload: WorkloadSpec) -> str:
    """The pause between two iterations.

    >>> describe_think_time(WorkloadSpec("mixed", "t", 1, think_time_s=2.0, think_time=ThinkTime.EXPONENTIAL))
    '2 s on average, exponential'
    """
    if not workload.think_time_s:
        return "none"
    mean = format_duration(workload.think_time_s)
    match workload.think_time:
        case ThinkTime.CONSTANT:
            return mean
        case ThinkTime.UNIFORM:
            return f"{mean} on average, evenly within {format_duration(workload.think_time_spread_s)} of it"
        case ThinkTime.EXPONENTIAL:
            return f"{mean} on average, exponential"


def list_further_sources(plan: Plan) -> tuple[tuple[str, str], ...]:
    """Name and text of every source beside the main one, and of the feed."""
    facts = [(f"Source {source.name}", source.label) for source in plan.sources]
    feed = plan.scenario.workload.feed
    if feed is not None:
        columns = ", ".join(feed.columns) or "no columns"
        facts.append(("Feed", f"{feed.name}, {format_count(feed.rows)} rows of {columns}; SHA-256 {feed.sha256[:16]}…"))
    return tuple(facts)


def _describe_entry(entry: MixEntry) -> str:
    if entry.action is MixAction.EXTRACTION:
        return f"{format_count(entry.rows)} rows from {entry.source}"
    return _LOOKS[entry.action]
