"""The workload `mixed`: one iteration is one entry of the scenario's mix, drawn by its weight from the user's own source."""

from typing import Final

from jivsbench.api import UserContext
from jivsbench.load.extraction import Wanted, build_request, pick_window, read_field, run_extraction
from jivsbench.model.scenario import MixAction, MixEntry, SourceKind

PAGE_SIZE: Final = 20


class MixedWorkload:
    """Extractions of several sizes from several kinds of sources, and the looks that people take at lists, figures and logs."""

    name: Final = "mixed"
    operations: Final = ("create", "start", "status", "wait", "statistics", "list", "logs", "job")

    def iterate(self, user: UserContext) -> None:
        """One entry of the mix."""
        entry = pick_entry(user)
        match entry.action:
            case MixAction.EXTRACTION:
                run_extraction(user, choose_extraction(user, entry), asks_status=True)
            case MixAction.LIST:
                user.call("list", "GET", f"/extractions?page=1&size={PAGE_SIZE}")
            case MixAction.STATISTICS:
                _look_into(user, "statistics")
            case MixAction.LOGS:
                _look_into(user, "logs")


def pick_entry(user: UserContext) -> MixEntry:
    """One entry, each as often as its weight says."""
    mix = user.spec.mix
    return user.random.choices(mix, [entry.weight for entry in mix])[0]


def choose_extraction(user: UserContext, entry: MixEntry) -> Wanted:
    """From the database a random window; from files and REST, which filter only after reading, a table of so many rows."""
    if entry.source is SourceKind.DATABASE:
        window = pick_window(user, entry.rows)
        return Wanted(build_request(user, window), window.rows)
    source = next(source for source in user.sources if source.kind is entry.source)
    return Wanted({"source": source.name, "table": derived_table(entry.source, entry.rows), "filters": []}, entry.rows)


def derived_table(kind: SourceKind, rows: int) -> str:
    """The table of a files or REST source that holds the first `rows` rows of the data."""
    return f"rows_{rows}.csv" if kind is SourceKind.FILES else f"rows_{rows}"


def _look_into(user: UserContext, part: str) -> None:
    """As a person does: open the list of what has completed, then one job of it; nothing more while there is none."""
    page = user.call("list", "GET", f"/extractions?status=COMPLETED&page=1&size={PAGE_SIZE}")
    found = read_field(page, "items")
    listed = found if isinstance(found, list) else ()
    jobs = [job["id"] for job in listed if isinstance(job, dict) and isinstance(job.get("id"), str)]
    if jobs:
        user.call(part, "GET", f"/extractions/{user.random.choice(jobs)}/{part}")
