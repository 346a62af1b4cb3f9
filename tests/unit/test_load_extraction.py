"""The workload `extraction`, against a user that answers from a script."""

import random
from contextlib import contextmanager

import pytest

from jivsbench.api import Response
from jivsbench.load.extraction import ExtractionWorkload, Window, build_request, choose_wanted, pick_window
from jivsbench.model.feed import FeedRow
from jivsbench.model.filters import Filter, Operator
from jivsbench.model.scenario import WorkloadSpec

STATISTICS = {"rows_read": 100, "rows_written": 100}


class ScriptedUser:
    """Answers each operation with what it was given, and remembers what the job came to."""

    def __init__(self, rows: int = 100, table_rows: int = 1000, seed: int = 1, **answers: Response) -> None:
        self.random = random.Random(seed)
        self.spec = WorkloadSpec("extraction", "bench_rows", rows, key="id")
        self.source = "pg"
        self.table_rows = table_rows
        self.asked: list[tuple[str, str, str, object]] = []
        self.end: tuple = ()
        self.feed: list[FeedRow] = []
        done = {"id": "7", "state": "COMPLETED", "rows_read": rows, "rows_written": rows, "error": None}
        self.answers = {
            "create": Response(201, {"id": "7", "state": "PENDING"}),
            "start": Response(202, {"id": "7", "state": "RUNNING"}),
            "wait": Response(200, done),
            "statistics": Response(200, {"rows_read": rows, "rows_written": rows}),
        } | answers

    def next_feed_row(self) -> FeedRow | None:
        return self.feed.pop(0) if self.feed else None

    def call(self, operation: str, method: str, path: str, body: object = None) -> Response:
        self.asked.append((operation, method, path, body))
        return self.answers[operation]

    def wait_for_job(self, job_id: str, timeout_s: float) -> Response:
        self.asked.append(("wait", job_id, str(timeout_s), None))
        return self.answers["wait"]

    @contextmanager
    def job(self):
        yield self

    def completed(self, rows_read: int, rows_written: int, rows_expected: int) -> None:
        self.end = ("completed", rows_read, rows_written, rows_expected)

    def failed(self, state: str, code: str) -> None:
        self.end = ("failed", state, code)


def test_one_iteration_is_one_whole_extraction() -> None:
    """Create, start, wait, statistics, in this order, and the rows compared with the window's."""
    user = ScriptedUser()

    ExtractionWorkload().iterate(user)

    assert [operation for operation, *_ in user.asked] == ["create", "start", "wait", "statistics"]
    assert user.end == ("completed", 100, 100, 100)


def test_the_request_asks_for_a_window_of_keys() -> None:
    """A half-open range of keys of exactly the wanted rows, bound as two filters."""
    user = ScriptedUser()

    body = build_request(user, Window(41, 100))

    assert body == {
        "source": "pg",
        "table": "bench_rows",
        "filters": [
            {"column": "id", "operator": ">=", "values": [41]},
            {"column": "id", "operator": "<", "values": [141]},
        ],
    }


@pytest.mark.parametrize("rows", [1000, 5000])
def test_a_window_as_large_as_the_table_is_the_table(rows) -> None:
    """No filter, and as many rows as the table has."""
    user = ScriptedUser(rows=rows)

    window = pick_window(user)

    assert window == Window(None, 1000)
    assert build_request(user, window)["filters"] == []


def test_windows_lie_inside_the_table_and_reach_both_ends() -> None:
    """Keys run from 1 to the number of rows; the first and the last row are asked for too."""
    user = ScriptedUser(rows=8, table_rows=10)

    firsts = {pick_window(user).first for _ in range(100)}

    assert firsts == {1, 2, 3}


@pytest.mark.parametrize(
    ("answers", "end"),
    [
        ({"create": Response(422, {"slug": "guard-refused"})}, ("failed", "REFUSED", "guard-refused")),
        ({"create": Response(500, None)}, ("failed", "REFUSED", "500")),
        ({"create": Response(0, None)}, ("failed", "REFUSED", "no-answer")),
        ({"create": Response(201, ["odd"])}, ("failed", "REFUSED", "unreadable")),
        ({"create": Response(201, {"id": 7})}, ("failed", "REFUSED", "unreadable")),
        ({"start": Response(503, {"slug": "queue-full"})}, ("failed", "FAILED", "queue-full")),
        ({"start": Response(0, None)}, ("failed", "FAILED", "no-answer")),
        ({"wait": Response(200, {"state": "FAILED", "error": {"slug": "deadline"}})}, ("failed", "FAILED", "deadline")),
        ({"wait": Response(200, {"state": "FAILED", "error": None})}, ("failed", "FAILED", "failed")),
        ({"wait": Response(200, {"state": "CANCELLED", "error": None})}, ("failed", "CANCELLED", "cancelled")),
        ({"wait": Response(200, {"state": "RUNNING"})}, ("failed", "TIMEOUT", "deadline")),
        ({"wait": Response(500, {"slug": "x"})}, ("failed", "TIMEOUT", "deadline")),
        ({"wait": Response(404, {"slug": "missing-object"})}, ("failed", "FAILED", "missing-object")),
        ({"statistics": Response(200, STATISTICS | {"rows_written": 99})}, ("completed", 100, 99, 100)),
        ({"statistics": Response(200, STATISTICS | {"rows_read": 101})}, ("completed", 101, 100, 100)),
        ({"statistics": Response(200, {})}, ("completed", 0, 0, 100)),
        ({"statistics": Response(500, None)}, ("completed", 100, 100, 100)),
    ],
)
def test_every_way_a_job_can_end(answers, end) -> None:
    """Refused, failed, timed out or wrong: the job says which, with a code and never a message."""
    user = ScriptedUser(**answers)

    ExtractionWorkload().iterate(user)

    assert user.end == end


def test_rows_of_the_job_and_of_the_statistics_must_agree() -> None:
    """A job that says 90 while its statistics say 100 is wrong."""
    done = {"state": "COMPLETED", "rows_read": 100, "rows_written": 90}
    user = ScriptedUser(wait=Response(200, done))

    ExtractionWorkload().iterate(user)

    assert user.end == ("completed", 100, 90, 100)


@pytest.mark.parametrize(
    ("row", "keys", "expected"),
    [
        (FeedRow(first=41, rows=10), (41, 51), 10),
        (FeedRow(first=995, rows=100), (995, 1001), 6),
        (FeedRow(first=901), (901, 1001), 100),
    ],
)
def test_a_feed_says_which_keys_are_asked_for(row, keys, expected) -> None:
    """What it leaves out comes from the scenario; a range that reaches beyond the table gives what the table has."""
    user = ScriptedUser()
    user.feed = [row]

    wanted = choose_wanted(user)

    assert tuple(one["values"][0] for one in wanted.body["filters"]) == keys
    assert wanted.rows == expected


def test_a_feed_may_ask_by_other_filters() -> None:
    """The number of rows is what the feed says; a job that gives another number is wrong."""
    user = ScriptedUser()
    user.feed = [FeedRow(filters=(Filter("status", Operator.EQUAL, ("active",)),), expected_rows=90)]

    ExtractionWorkload().iterate(user)

    assert user.asked[0][3]["filters"] == [{"column": "status", "operator": "=", "values": ["active"]}]
    assert user.end == ("completed", 100, 100, 90)


@pytest.mark.parametrize(("written", "end"), [(100, ("completed", 100, 100, 100)), (99, ("completed", 100, 99, 100))])
def test_without_an_expected_number_what_was_read_must_be_written(written, end) -> None:
    """Nobody says how many rows match, so reading and writing are compared with one another."""
    answer = Response(200, {"state": "COMPLETED", "rows_read": 100, "rows_written": written})
    user = ScriptedUser(wait=answer, statistics=Response(200, {"rows_read": 100, "rows_written": written}))
    user.feed = [FeedRow(filters=(Filter("status", Operator.EQUAL, ("active",)),))]

    ExtractionWorkload().iterate(user)

    assert user.end == end


def test_a_feed_row_beyond_the_table_asks_for_no_rows() -> None:
    """Nothing is there, and nothing is expected: a right answer is no wrong one."""
    user = ScriptedUser(rows=10, table_rows=100)
    user.feed = [FeedRow(first=150)]

    assert choose_wanted(user).rows == 0
