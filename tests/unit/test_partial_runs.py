"""A run that was cut off: its samples give a record, which says that it is partial and is never green."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from jivsbench.analysis.cut_off import rebuild_blocks, rebuild_totals
from jivsbench.app.conclusion import find_run, judge_again
from jivsbench.app.partial import LoadStart, read_or_rebuild, salvage_arms
from jivsbench.errors import ConfigError
from jivsbench.load.intervals import format_interval
from jivsbench.load.monitor import MonitorLine
from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.histogram import Histogram
from jivsbench.model.record import RunRecord
from jivsbench.model.sample import ErrorClass, ErrorCount, Interval, OperationInterval, OperationKind
from jivsbench.model.scenario import BlockPhase
from jivsbench.model.summary import VerdictOutcome
from tests.unit.analysis_records import build_arm_record, build_histogram, build_look, build_record

_ERRORS = (
    ErrorCount(ErrorClass.TIMEOUT, "drain", 1),
    ErrorCount(ErrorClass.JOB_FAILED, "x", 2),
    ErrorCount(ErrorClass.JOB_CANCELLED, "y", 1),
    ErrorCount(ErrorClass.REFUSED, "503", 3),
    ErrorCount(ErrorClass.WRONG_ROWS, "fewer", 1),
)


def _interval(second: int, phase: BlockPhase = BlockPhase.MEASURED, errors: tuple[ErrorCount, ...] = ()) -> Interval:
    jobs, calls = build_histogram([200.0] * 20), build_histogram([10.0] * 40)
    return Interval(
        second,
        "optimized",
        0,
        phase,
        10,
        (
            OperationInterval("create", OperationKind.CALL, 40, 0, (), calls, calls, Histogram()),
            OperationInterval("job", OperationKind.JOB, 20, 20_000, errors, jobs, jobs, Histogram()),
        ),
    )


def _record() -> RunRecord:
    return build_record(build_arm_record())


def _write_cut_off(folder: Path, *, torn: bool = True) -> None:
    """A folder as a killed run leaves it: five seconds, the last line of each file torn."""
    record = _record()
    start = LoadStart(folder, record.plan, record.environment, datetime(2026, 1, 1, tzinfo=UTC))
    seen: list[LoadProgress | LoadMachines] = []
    listen = start.note({"optimized": ("sqlguard",)}, seen.append)
    progress = LoadProgress(1.0, 60.0, "optimized", 0, 1, 10, 1, 1, 1.0, None, 0, None)
    gathering = LoadMachines(0, 2, "127.0.0.1:5557")
    listen(gathering)
    assert not (folder / "start.json").exists()
    listen(progress)
    listen(progress)
    assert seen == [gathering, progress, progress]
    lines = [format_interval(_interval(second)) for second in range(5)]
    looks = [TypeAdapter(MonitorLine).dump_json(MonitorLine("optimized", build_look(second))) + b"\n" for second in range(6)]
    cut = 10 if torn else 0
    (folder / "intervals.jsonl").write_bytes(b"".join(lines) + format_interval(_interval(5))[:cut])
    (folder / "monitor.jsonl").write_bytes(b"".join(looks) + looks[0][:cut])


@pytest.mark.parametrize("torn", [True, False])
def test_a_cut_off_run_is_rendered_from_its_samples(tmp_path: Path, torn: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Everything that had ended is there, the guards too; the verdict is INVALID and says PARTIAL."""
    _write_cut_off(tmp_path, torn=torn)
    outcome = judge_again(tmp_path, [parse_gate("job.errors ratio < 1 %"), parse_gate("rows.lost count <= 0")])
    arm = outcome.record.arms[0]

    assert outcome.verdict.outcome is VerdictOutcome.INVALID
    assert outcome.verdict.reasons[0].startswith("PARTIAL: the run was cut off after 5 s of 1 s of load")
    assert (arm.guards, len(arm.series), arm.totals.completed, arm.blocks[0].rows) == (("sqlguard",), 5, 100, 100_000)
    assert len(arm.monitor) >= 5
    assert outcome.summary.figure("optimized", "rows.lost", "count").value is None
    assert outcome.record.run_id == tmp_path.name


def test_a_finished_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """run.json wins over the samples."""
    _write_cut_off(tmp_path)
    (tmp_path / "run.json").write_text("{}")

    with pytest.raises(ConfigError, match="format_version"):
        read_or_rebuild(tmp_path)


def test_a_folder_of_no_run_says_so(tmp_path: Path) -> None:
    """Neither an end nor a beginning."""
    with pytest.raises(ConfigError, match="does not exist"):
        read_or_rebuild(tmp_path)
    assert salvage_arms(tmp_path) == ()


def test_a_start_that_was_changed_is_refused(tmp_path: Path) -> None:
    """The field is named."""
    _write_cut_off(tmp_path)
    content = json.loads((tmp_path / "start.json").read_text())
    content["monitor_lead_s"] = "soon"
    (tmp_path / "start.json").write_text(json.dumps(content))

    with pytest.raises(ConfigError, match="monitor_lead_s"):
        read_or_rebuild(tmp_path)


def test_a_line_that_is_no_interval_ends_what_is_read(tmp_path: Path) -> None:
    """What stands before it was measured."""
    _write_cut_off(tmp_path)
    whole = (tmp_path / "intervals.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "intervals.jsonl").write_bytes(b"".join([*whole[:2], b"{}\n", *whole[2:]]))

    assert len(salvage_arms(tmp_path)[0].series) == 2


def test_the_latest_run_may_be_one_that_was_cut_off(tmp_path: Path) -> None:
    """`report latest` after a crash shows what the crash left."""
    folder = tmp_path / "runs" / "20260101T000000Z-x"
    folder.mkdir(parents=True)
    _write_cut_off(folder)

    assert find_run(tmp_path, "latest") == folder


def test_a_path_that_is_no_run_stays_what_was_asked(tmp_path: Path) -> None:
    """The message must not name a folder that nobody typed; a bare name is a run id."""
    assert find_run(tmp_path, "elsewhere/nowhere") == Path("elsewhere/nowhere")
    assert find_run(tmp_path, "nowhere") == tmp_path / "runs" / "nowhere"


@pytest.mark.parametrize("name", ["a" * 300, f"/{'a' * 300}"])
def test_a_name_that_no_folder_can_have_is_one_error(tmp_path: Path, name: str) -> None:
    """The operating system refuses to look; the message says what to name, and not all of it again."""
    with pytest.raises(ConfigError, match=r"^the run '.{80}' cannot be looked up \(File name too long\): name a readable"):
        find_run(tmp_path, name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_may_not_be_entered_is_one_error(tmp_path: Path) -> None:
    """It exists, and nothing within it can be looked at."""
    (tmp_path / "closed").mkdir(mode=0)

    with pytest.raises(ConfigError, match=r"cannot be looked up \(Permission denied\)"):
        find_run(tmp_path, str(tmp_path / "closed"))


def test_jobs_are_counted_by_how_they_ended() -> None:
    """A refused job was never created; one with wrong rows was completed."""
    totals = rebuild_totals("optimized", [_interval(0, errors=_ERRORS)])

    assert (totals.created, totals.completed, totals.failed, totals.timed_out, totals.cancelled) == (17, 13, 2, 1, 1)


def test_a_drain_ends_the_measured_part_of_a_block() -> None:
    """What ended in it has latency, and is no throughput."""
    intervals = [_interval(0), _interval(1), _interval(2, BlockPhase.DRAIN)]
    block = rebuild_blocks(_record().plan, intervals)[0]

    assert (block.end_ns, block.drained_ns, block.jobs, block.job_p50_ns is not None) == (2_000_000_000, 3_000_000_000, 40, True)
