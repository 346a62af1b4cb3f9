"""The workload `mixed`: shares by weight, sources by kind, think times and feeds that are the same in every run."""

import random
from collections import Counter
from itertools import pairwise
from statistics import fmean

import pytest

from jivsbench.api import Response
from jivsbench.load.feeding import FeedReader
from jivsbench.load.mixed import MixedWorkload, choose_extraction, pick_entry
from jivsbench.load.thinking import Thinker
from jivsbench.model.feed import FeedRow
from jivsbench.model.scenario import MixAction, MixEntry, OfferedSource, SourceKind, ThinkTime, WorkloadSpec

MIX = (
    MixEntry(MixAction.EXTRACTION, 60, SourceKind.DATABASE, 1_000),
    MixEntry(MixAction.EXTRACTION, 20, SourceKind.REST, 1_000),
    MixEntry(MixAction.LIST, 15),
    MixEntry(MixAction.LOGS, 5),
)
SOURCES = (OfferedSource(SourceKind.FILES, "csv", "CSV"), OfferedSource(SourceKind.REST, "pages", "REST"))


class LookingUser:
    """Answers every request with a page of two jobs."""

    def __init__(self, mix=MIX, seed: int = 1, page: object = None) -> None:
        self.random = random.Random(seed)
        self.spec = WorkloadSpec("mixed", "bench_rows", 1_000, mix=mix)
        self.source, self.table_rows, self.sources = "main", 100_000, SOURCES
        self.page = {"items": [{"id": "7"}, {"id": "8"}]} if page is None else page
        self.asked: list[tuple[str, str]] = []

    def call(self, operation: str, method: str, path: str) -> Response:
        assert method == "GET"
        self.asked.append((operation, path))
        return Response(200, self.page)


def test_entries_come_as_often_as_their_weights_say() -> None:
    """4,000 draws: each share within three standard deviations of its weight."""
    user = LookingUser()

    drawn = Counter(pick_entry(user) for _ in range(4_000))

    for entry in MIX:
        share = entry.weight / 100
        assert abs(drawn[entry] - 4_000 * share) < 3 * (4_000 * share * (1 - share)) ** 0.5


def test_the_same_seed_draws_the_same_entries() -> None:
    """A user of one seed does the same in every run; one of another seed does not."""
    first, again, other = (LookingUser(seed=seed) for seed in (1, 1, 2))

    draws = [[pick_entry(user) for _ in range(50)] for user in (first, again, other)]

    assert draws[0] == draws[1] != draws[2]


def test_a_database_gives_a_window_and_other_sources_a_table_of_that_size() -> None:
    """Files and REST filter only after they were read: asking them for a window would read all of them."""
    user = LookingUser()

    database, rest = choose_extraction(user, MIX[0]), choose_extraction(user, MIX[1])

    assert (database.body["source"], len(database.body["filters"]), database.rows) == ("main", 2, 1_000)
    assert rest.body == {"source": "pages", "table": "rows_1000", "filters": []}
    assert rest.rows == 1_000


@pytest.mark.parametrize(
    ("action", "asked"),
    [
        (MixAction.LIST, ["/extractions?page=1&size=20"]),
        (MixAction.STATISTICS, ["/extractions?status=COMPLETED&page=1&size=20", "/extractions/7/statistics"]),
        (MixAction.LOGS, ["/extractions?status=COMPLETED&page=1&size=20", "/extractions/7/logs"]),
    ],
)
def test_looks_ask_for_a_page_and_for_one_job_of_it(action, asked) -> None:
    """A list, then the statistics or the log of a job on it."""
    user = LookingUser(mix=(MixEntry(action, 1),), seed=3)

    MixedWorkload().iterate(user)

    assert [path for _, path in user.asked] == asked


@pytest.mark.parametrize("page", [{"items": []}, {}, [], {"items": [None, {"id": 7}]}])
def test_without_a_job_there_is_nothing_to_look_into(page) -> None:
    """The first seconds of a load have no completed job, and a strange answer has none either."""
    user = LookingUser(mix=(MixEntry(MixAction.LOGS, 1),), page=page)

    MixedWorkload().iterate(user)

    assert len(user.asked) == 1


@pytest.mark.parametrize(
    ("kind", "spread_s", "least", "greatest"),
    [(ThinkTime.CONSTANT, 0.0, 2.0, 2.0), (ThinkTime.UNIFORM, 0.5, 1.5, 2.5), (ThinkTime.EXPONENTIAL, 0.0, 0.0, 60.0)],
)
def test_think_times_have_the_planned_mean_and_range(kind, spread_s, least, greatest) -> None:
    """2,000 draws around 2 s; an exponential one is sometimes short and sometimes long."""
    spec = WorkloadSpec("mixed", "t", 1, think_time_s=2.0, think_time=kind, think_time_spread_s=spread_s)
    thinker, again = Thinker(spec, 7, 3), Thinker(spec, 7, 3)

    drawn = [thinker.pause_s() for _ in range(2_000)]

    assert drawn == [again.pause_s() for _ in range(2_000)]
    assert least <= min(drawn) <= max(drawn) <= greatest
    assert fmean(drawn) == pytest.approx(2.0, rel=0.08)
    if kind is ThinkTime.EXPONENTIAL:
        assert min(drawn) < 0.1
        assert max(drawn) > 8.0


def test_every_user_reads_the_feed_from_a_place_of_its_own() -> None:
    """In order, round and round; the same place for the same seed and number."""
    rows = tuple(FeedRow(first=number, rows=1) for number in range(1, 101))
    reader, again, other = FeedReader(rows, 7, 0), FeedReader(rows, 7, 0), FeedReader(rows, 7, 1)

    taken = [reader.take().first for _ in range(150)]

    assert taken == [again.take().first for _ in range(150)]
    assert taken[0] != other.take().first
    assert all(after == before % 100 + 1 for before, after in pairwise(taken))
    assert FeedReader((), 7, 0).take() is None
