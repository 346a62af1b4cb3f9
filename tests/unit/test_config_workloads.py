"""The section [workload]: mixes, think times and feeds, each mistake with file, line and key."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from jivsbench.config import find_feed, load_scenario
from jivsbench.config.feeds import read_feed
from jivsbench.errors import ConfigError
from jivsbench.model.feed import FeedRow
from jivsbench.model.filters import Filter, Operator
from jivsbench.model.scenario import MixAction, MixEntry, SourceKind, ThinkTime

HEAD = 'name = "mine"\ntitle = "Mine"\ngates = ["http.errors ratio < 2 %"]\n[[stages]]\nduration = "30s"\nusers = 3\n[workload]\n'
MIXED = """name = "mixed"
table = "t"
think_time = "1s"
think_time_distribution = "exponential"
[[workload.mix]]
weight = 2.5
source = "rest"
rows = 1_000
[[workload.mix]]
action = "list"
weight = 1
"""
SIMPLE = 'name = "extraction"\ntable = "t"\nrows = 10\n'


def load(folder: Path, workload: str):
    """Write the scenario `mine` with that workload and load it."""
    (folder / "mine.toml").write_text(HEAD + workload)
    return load_scenario("mine", (folder,))


def test_a_mix_is_read_with_its_think_time(tmp_path: Path) -> None:
    """Weights, sources and rows; `rows` of the workload is the greatest of its entries."""
    workload = load(tmp_path, MIXED).workload

    assert workload.mix == (MixEntry(MixAction.EXTRACTION, 2.5, SourceKind.REST, 1_000), MixEntry(MixAction.LIST, 1.0))
    assert (workload.think_time, workload.think_time_s, workload.rows) == (ThinkTime.EXPONENTIAL, 1.0, 1_000)


@pytest.mark.parametrize(
    ("workload", "problem"),
    [
        (MIXED.replace('"mixed"', '"extraction"'), "mine.toml:12: workload.mix: a mix is what the workload 'mixed' plays"),
        (SIMPLE.replace("extraction", "mixed"), "a mix is what the workload 'mixed' plays"),
        (MIXED.replace("weight = 1", "weight = 0"), r"workload.mix\[1\].weight: it must be a finite number above 0"),
        (MIXED.replace("weight = 1", "weight = 1e308"), r"workload.mix\[1\].weight: it must be 1,000,000 or less"),
        (MIXED.replace('think_time = "1s"', 'think_time = "8785h"'), r"think_time: it must be 366 days \(8784h\) or less"),
        (MIXED.replace('action = "list"', 'action = "lst"'), "must be one of extraction, list, statistics, logs"),
        (MIXED.replace('"rest"', '"soap"'), "must be one of database, files, rest"),
        (MIXED + "rows = 3\n", "only an extraction has it, and this is 'list'"),
        (MIXED.replace('source = "rest"\nrows = 1_000\n', 'action = "logs"\n'), "no entry is an extraction"),
        (MIXED.replace('table = "t"', 'table = "t"\nrows = 5'), "each extraction of a mix has rows of its own"),
        (MIXED.replace('table = "t"', 'table = "t"\nfeed = "f.csv"'), "a feed says what each iteration asks for"),
        (SIMPLE + 'think_time_distribution = "uniform"\n', "it needs a mean: add think_time"),
        (SIMPLE + 'think_time = "1s"\nthink_time_distribution = "uniform"\n', "has a think_time_spread"),
        (SIMPLE + 'think_time = "1s"\nthink_time_spread = "500ms"\n', "has a think_time_spread"),
        (
            SIMPLE + 'think_time = "1s"\nthink_time_distribution = "uniform"\nthink_time_spread = "2s"\n',
            "it is greater than think_time",
        ),
        (SIMPLE + 'feed = "../f.csv"\n', "the name of a file beside the scenario"),
        (SIMPLE + 'feed = "f.txt"\n', "ends in .csv or .jsonl"),
        (SIMPLE + 'feed = "f.csv"\n', r"f.csv: the feed cannot be read \(No such file or directory\)"),
    ],
)
def test_a_workload_that_cannot_be_meant_is_refused(tmp_path: Path, workload: str, problem: str) -> None:
    """Before any load, with the place and what to do."""
    with pytest.raises(ConfigError, match=problem):
        load(tmp_path, workload)


def test_a_feed_of_csv_has_ranges_or_filters(tmp_path: Path) -> None:
    """`first` and `rows` are keys, every other column a filter; an empty cell says nothing."""
    path = tmp_path / "f.csv"
    path.write_text('first,rows,status,amount >=,expected_rows\n5,10,,,\n7,,,,\n,,"act,ive",9.5,3\n')

    feed = read_feed(path)

    assert feed.rows == (
        FeedRow(5, 10),
        FeedRow(7),
        FeedRow(
            None, None, (Filter("status", Operator.EQUAL, ("act,ive",)), Filter("amount", Operator.GREATER_OR_EQUAL, ("9.5",))), 3
        ),
    )
    assert (feed.facts.name, feed.facts.rows, len(feed.facts.sha256)) == ("f.csv", 3, 64)


def test_a_feed_of_jsonl_keeps_its_types(tmp_path: Path) -> None:
    """Numbers stay numbers; the scenario finds the file beside itself."""
    (tmp_path / "f.jsonl").write_text('{"status": "active", "tier": 3}\n\n{"first": 2, "rows": null}\n')
    scenario = load(tmp_path, SIMPLE + 'feed = "f.jsonl"\n')

    path = find_feed(scenario, (tmp_path,))

    assert path == tmp_path / "f.jsonl"
    assert read_feed(path).rows == (
        FeedRow(filters=(Filter("status", Operator.EQUAL, ("active",)), Filter("tier", Operator.EQUAL, (3,)))),
        FeedRow(first=2),
    )


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("f.csv", "", "f.csv:1: the first line of a CSV feed names its columns"),
        ("f.csv", "a,a\n1,2\n", "names its columns, each once"),
        ("f.csv", "first\n", "the feed has no rows"),
        ("f.csv", "first,rows\n1\n", "f.csv:2: it has 1 values for 2 columns"),
        ("f.csv", "first\n0\n", "f.csv:2: column 'first' must be a whole number of 1 or more"),
        ("f.csv", "first\n-secret-\n", "column 'first' must be a whole number"),
        ("f.csv", "id in\n4\n", "column 'id in' is no filter"),
        ("f.csv", "first,status\n1,active\n", "give one of them"),
        ("f.csv", "expected_rows\n4\n", "expected_rows goes with filters"),
        ("f.csv", 'a\n"x\n', "it is not CSV"),
        ("f.jsonl", "[1]\n", "f.jsonl:1: it is not an object"),
        ("f.jsonl", "{}\n{\n", "f.jsonl:2: it is not JSON"),
        ("f.jsonl", '{"a": [1]}\n', "column 'a' must hold a text"),
        ("f.jsonl", '{"rows": true}\n', "column 'rows' must be a whole number"),
        ("f.csv", f"rows\n{'9' * 5_000}\n", "f.csv:2: column 'rows' must be a whole number of 1 or more, of at most 18 digits"),
        ("f.jsonl", f'{{"rows": "{"9" * 5_000}"}}\n', "column 'rows' must be a whole number of 1 or more, of at most 18 digits"),
        ("f.jsonl", '{"price": NaN}\n', "f.jsonl:1: column 'price' must hold a finite number"),
        ("f.jsonl", '{"price >=": -Infinity}\n', "column 'price >=' must hold a finite number"),
        ("f.jsonl", '{"price": 1e999}\n', "column 'price' must hold a finite number"),
        ("f.jsonl", '{"name": "secret \\ud800"}\n', "f.jsonl:1: column 'name' has half a character"),
        ("f.jsonl", '{"na\\udfffme": null}\n', r"column 'na\\udfffme' has half a character"),
        ("f.jsonl", "{}\n" + "[" * 200_000, "f.jsonl:2: it is nested too deeply"),
    ],
)
def test_a_feed_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """With file and line, and without repeating a value."""
    (tmp_path / name).write_text(text)

    with pytest.raises(ConfigError, match=problem) as refused:
        read_feed(tmp_path / name)

    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value).encode().decode()


def test_whatever_a_feed_may_hold_reaches_the_load_child(tmp_path: Path) -> None:
    """The largest numbers, whole characters beyond the first plane: as the parent writes them, the child reads them."""
    (tmp_path / "f.jsonl").write_text(
        '{"first": 999999999999999999, "rows": 1}\n{"price": 1.7e308, "name": "\\ud83d\\ude00", "flag": true, "tier": -7}\n'
    )
    rows = read_feed(tmp_path / "f.jsonl").rows
    adapter = TypeAdapter(tuple[FeedRow, ...])

    assert adapter.validate_json(adapter.dump_json(rows)) == rows
