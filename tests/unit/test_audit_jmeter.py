"""Sample logs of JMeter: rows as it writes them, of which none but the impossible may be called a contradiction."""

import re

import pytest

from jivsbench.analysis.contradictions import audit_claims
from jivsbench.model.claims import join_audits
from jivsbench.results import read_claims

HEAD = (
    "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,grpThreads,"
    "allThreads,URL,Latency,IdleTime,Connect"
)


def row_of(start, elapsed, label, thread="Users 1-1", *, message="OK", users=1, latency=0, connect=0):
    """A line as JMeter writes it."""
    return f"{start},{elapsed},{label},200,{message},{thread},text,true,,512,231,{users},{users},null,{latency},0,{connect}"


def audit_log(folder, *rows):
    """The contradictions of a log, as text."""
    (folder / "log.csv").write_text("\n".join([HEAD, *rows]))
    found = join_audits(map(audit_claims, read_claims(folder / "log.csv"))).contradictions
    return [f"{relation.part}: {relation.arithmetic}" for relation in found]


def test_a_connection_that_failed_is_no_contradiction(tmp_path):
    """JMeter writes the time until the error as Connect, and 0 for the latency that there was none of."""
    refused = [row_of(1000 * n, 3, "GET", message="Connection refused", latency=0, connect=3) for n in range(9)]

    assert audit_log(tmp_path, *refused) == []
    assert audit_log(tmp_path, row_of(0, 9, "GET"), row_of(9, 3, "GET", latency=0, connect=5)) == [
        "line 3: Connect 5 <= elapsed 3"
    ]


def test_impossible_samples_without_end_are_counted(tmp_path):
    """Each of the first hundred is named; of the rest their number is."""
    found = audit_log(tmp_path, *(row_of(1000 * n, 3, "GET", latency=5) for n in range(1_500)))

    assert len(found) == 100
    assert found[-1] == "line 101 and 1,400 later ones like it: Latency 5 <= elapsed 3"


PAGE = (
    row_of(0, 100, "Home"), row_of(0, 40, "Home-0"), row_of(41, 60, "Home-1"), row_of(50, 30, "Home-1-0", "pool-2-thread-1"),
    row_of(100, 50, "Cart"), row_of(99, 51, "Cart-0"),
)  # fmt: skip


def test_parts_of_a_sample_are_not_counted_twice(tmp_path):
    """Redirects and embedded resources follow their parent: told by their thread, or by their name where threads are not."""
    nameless = [row.replace("Users 1-1", "").replace("pool-2-thread-1", "") for row in PAGE]
    own_names = [re.sub(r"(Home|Cart)-[-0-9]+", "http://127.0.0.1/x", row) for row in PAGE if "pool" not in row]

    assert audit_log(tmp_path, *PAGE) == []
    assert audit_log(tmp_path, *nameless) == []
    assert audit_log(tmp_path, *own_names) == []


@pytest.mark.parametrize("message", ['"Number of samples in transaction : 2, number of failing samples : 0"', ""])
def test_a_transaction_is_not_counted_beside_its_samples(tmp_path, message):
    """Its row comes after them; where messages are not saved, its time tells."""
    rows = [row_of(0, 40, "a"), row_of(40, 0, "b"), row_of(45, 50, "c"), row_of(0, 95, "all", message=message)]

    assert audit_log(tmp_path, *rows, row_of(95, 50, "a"), row_of(95, 50, "all", message=message)) == []


def test_samples_one_after_another_are_all_counted(tmp_path):
    """The next begins when the former ends, also when that took less than a ms: three threads do not fit into two users."""
    rows = [
        row_of(start + pause, elapsed, "GET", f"Users 1-{thread}", users=2)
        for start in range(0, 3_000, 100)
        for thread in (1, 2, 3)
        for pause, elapsed in ((0, 1), (1, 0), (1, 98), (99, 1))
    ]
    overlapping = [row_of(start, 100, "GET") for start in range(0, 3_000, 50)]

    assert [text.partition(":")[0] for text in audit_log(tmp_path, *rows)] == ["all samples", "GET"]
    assert "3 operations in flight, at most allThreads 2" in audit_log(tmp_path, *rows)[0]
    assert len(audit_log(tmp_path, *overlapping)) == 2


@pytest.mark.parametrize("places", [("10.0.0.1:1099-", "10.0.0.2:1099-"), ("load-1-", "load-2-")])
def test_every_machine_of_a_distributed_test_has_its_own_threads(tmp_path, places):
    """`allThreads` counts those of the machine that the row comes from; a third one that no row comes from cannot help."""
    rows = [
        row_of(start, 100, "GET", f"{place}Users 1-{thread}", users=2)
        for start in range(0, 3_000, 100)
        for place in places
        for thread in (1, 2)
    ]
    more = [row.replace(f"{places[0]}Users 1-1", f"{places[0]}Users 1-3") for row in rows]

    assert audit_log(tmp_path, *rows) == []
    assert "at most allThreads on 2 machines 4 can be" in audit_log(tmp_path, *rows, *more)[0]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_log_with_another_delimiter_is_read(tmp_path, delimiter):
    """As `jmeter.save.saveservice.default_delimiter` says."""
    rows = [row_of(0, 9, "GET"), row_of(9, 3, "GET", latency=5)]
    (tmp_path / "log.csv").write_text("\n".join([HEAD, *rows]).replace(",", delimiter))

    assert len(join_audits(map(audit_claims, read_claims(tmp_path / "log.csv"))).contradictions) == 1


def test_threads_of_a_pool_are_no_machines(tmp_path):
    """What a browser's pool downloads bears other names, and makes no more users of one."""
    rows = [row_of(start, 90, f"{thread}", f"pool-{thread}-thread-1") for start in range(0, 3_000, 100) for thread in (1, 2)]

    assert "at most allThreads 1 can be" in audit_log(tmp_path, *rows)[0]
