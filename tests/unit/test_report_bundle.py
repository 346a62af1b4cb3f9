"""The bundle: files appear whole or not at all, and a file that is not ours is named with its field."""

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from jivsbench.app.run import new_run_folder
from jivsbench.children import start_child
from jivsbench.errors import ConfigError, OutputError
from jivsbench.load.intervals import open_for_owner
from jivsbench.model.summary import Report
from jivsbench.report.bundle import read_record, write_plan, write_reports
from jivsbench.report.json import JsonReporter
from tests.gold.sample_runs import Sample, comparison, no_data


@pytest.fixture
def sample() -> Sample:
    """A small run."""
    return no_data()


_SPREAD = {"gauge": "rss_bytes", "known": 0, "low": 0.0, "mean": 0.0, "high": 0.0}


def _render(sample: Sample) -> Report:
    return JsonReporter().render(sample.record, sample.summary, sample.verdict)


def _text(content: bytes) -> Report:
    return Report("text", "note.txt", "text/plain", content)


def _change(folder: Path, sample: Sample, change) -> Path:
    found = json.loads(_render(sample).content)
    change(found)
    file = folder / "run.json"
    file.write_text(json.dumps(found))
    return file


def test_a_run_comes_back_from_its_folder_and_from_its_file(tmp_path: Path) -> None:
    """The record that was written is the record that is read."""
    sample = comparison()
    write_reports(tmp_path / "new" / "run", [_render(sample)])

    assert read_record(tmp_path / "new" / "run") == sample.record
    assert read_record(tmp_path / "new" / "run" / "run.json") == sample.record


def test_files_are_for_their_owner_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    """One file per report, mode 0600 under any umask, no temporary file beside it."""
    old = os.umask(0)
    try:
        write_reports(tmp_path, [_text(b"one"), _text(b"two")])
    finally:
        os.umask(old)

    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    assert (tmp_path / "note.txt").read_bytes() == b"two"
    assert stat.S_IMODE((tmp_path / "note.txt").stat().st_mode) == 0o600


def test_every_folder_that_a_run_makes_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Also those above it, under a umask that takes nothing away; a folder that was there keeps its mode."""
    (tmp_path / "there").mkdir(mode=0o755)
    old = os.umask(0)
    try:
        folder = new_run_folder(tmp_path / "there" / "reports", "soak")
        write_reports(tmp_path / "there" / "other" / "deep", [_text(b"one")])
    finally:
        os.umask(old)
    made = [folder, *list(folder.parents)[:2], tmp_path / "there" / "other", tmp_path / "there" / "other" / "deep"]

    assert [stat.S_IMODE(each.stat().st_mode) for each in made] == [0o700] * 5
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o755


def test_what_a_run_measures_and_logs_is_for_its_owner_alone(tmp_path: Path) -> None:
    """The lines of the load and the log of a child, under a umask that takes nothing away."""
    old = os.umask(0)
    try:
        open_for_owner(tmp_path / "intervals.jsonl").close()
        start_child("quiet", ["/bin/true"], log=tmp_path / "child.log").stop()
    finally:
        os.umask(old)

    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_plan_json_holds_the_plan_before_anything_runs(tmp_path: Path, sample: Sample) -> None:
    """plan.json can be read as JSON and holds the seed."""
    write_plan(tmp_path, sample.record.plan)

    assert json.loads((tmp_path / "plan.json").read_text())["seed"] == sample.record.plan.seed


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fills while a report is written, the error says so, names the folder, and the old report stands."""
    write_reports(tmp_path, [_text(b"old")])

    def fill(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fill)
    with pytest.raises(OutputError, match="the disk is full: free some space") as caught:
        write_reports(tmp_path, [_text(b"new")])

    assert str(tmp_path) in str(caught.value)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    """A path that cannot be a folder is an OutputError that names it."""
    (tmp_path / "taken").write_text("")

    with pytest.raises(OutputError, match="taken"):
        write_reports(tmp_path / "taken", [_text(b"x")])


@pytest.mark.parametrize("name", ["../escape.html", "/tmp/escape.html", "a/b.html", "..", ".", ""])
def test_a_reporter_cannot_write_outside_the_folder(tmp_path: Path, name: str) -> None:
    """A file name that leads out of the folder is refused and nothing is written."""
    with pytest.raises(OutputError, match="plain name"):
        write_reports(tmp_path / "run", [Report("evil", name, "text/html", b"x")])

    assert not list(tmp_path.iterdir())


def test_a_missing_run_is_named(tmp_path: Path) -> None:
    """The error names the file that was looked for."""
    with pytest.raises(ConfigError, match=r"run\.json does not exist"):
        read_record(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"not json"])
def test_a_file_that_is_not_json_says_so(tmp_path: Path, content: bytes) -> None:
    """Broken, binary and absurdly nested files end in one clear line."""
    (tmp_path / "run.json").write_bytes(content)

    with pytest.raises(ConfigError, match="is not JSON"):
        read_record(tmp_path)


@pytest.mark.parametrize("content", [b"[]", b"{}", b"1", b'{"format_version": "1"}', b'{"format_version": true}'])
def test_json_of_somebody_else_is_refused(tmp_path: Path, content: bytes) -> None:
    """JSON without a format_version of ours is not taken for a run."""
    (tmp_path / "run.json").write_bytes(content)

    with pytest.raises(ConfigError, match="format_version"):
        read_record(tmp_path)


def test_a_newer_file_asks_for_an_update(tmp_path: Path) -> None:
    """A file of the future says that it is newer, whatever its fields look like."""
    (tmp_path / "run.json").write_text('{"format_version": 2, "record": "quite different"}')

    with pytest.raises(ConfigError, match=r"format_version 2, this jivsbench reads up to 1: update jivsbench"):
        read_record(tmp_path)


def test_a_wrong_field_is_named_with_its_path(tmp_path: Path, sample: Sample) -> None:
    """A number that became text is named by its path; its value is not repeated."""
    file = _change(tmp_path, sample, lambda found: found["record"]["plan"].update(seed="hunter2"))

    with pytest.raises(ConfigError, match=r"field record\.plan\.seed") as caught:
        read_record(file)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda record: record["plan"].update(profiles=[]), "the plan has no profile"),
        (lambda record: record["arms"][0]["operations"][0].update(operation="a b"), r"no metric is called 'a b\.response'"),
        (
            lambda record: record["arms"][0]["monitor"][0].update(spreads=[_SPREAD]),
            r"record\.arms\.0\.monitor\.0\..*1 reading at least",
        ),
    ],
)
def test_a_run_that_no_figure_can_come_from_is_refused(tmp_path: Path, change: Callable[[dict], None], problem: str) -> None:
    """A plan of nothing, an operation that has no metric, a mean of no reading: the file is named, and what is wrong."""
    file = _change(tmp_path, comparison(), lambda found: change(found["record"]))

    with pytest.raises(ConfigError, match=problem):
        read_record(file)


def test_a_missing_field_is_named_with_its_path(tmp_path: Path, sample: Sample) -> None:
    """A field that is gone is named by its path."""
    file = _change(tmp_path, sample, lambda found: found["record"].pop("generator"))

    with pytest.raises(ConfigError, match=r"field record\.generator: field required"):
        read_record(file)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("looks", [], "looks are 1 to 20 counts of pairs that rise"),
        ("looks", [24, 12], "looks are 1 to 20 counts of pairs that rise"),
        ("looks", list(range(1, 5000)), "looks are 1 to 20 counts of pairs that rise"),
        ("alpha_ratio", 0, "alpha_ratio lies between 1e-09 and 1"),
        ("margin_ratio", -1, "margin_ratio is 0 or more"),
        ("criteria", [], "a rule judges statistics that blocks have: it names none"),
        ("criteria", [{"metric": "job.errors", "statistic": "ratio"}], "blocks have: job.errors ratio"),
    ],
)
def test_a_rule_by_which_nothing_can_be_judged_is_refused(tmp_path: Path, field: str, value: object, problem: str) -> None:
    """Whoever wrote it: judging by it would break off, or go on for hours."""
    rule = {
        "criteria": [{"metric": "job.response", "statistic": "mean"}],
        "margin_ratio": 0.05,
        "alpha_ratio": 0.05,
        "looks": [12],
    }
    file = _change(tmp_path, comparison(), lambda found: found["record"]["plan"].update(rule=rule | {field: value}))

    with pytest.raises(ConfigError, match=rf"field record\.plan\.rule: .*{problem}"):
        read_record(file)
