"""`run --dry-run`: the schedule and its costs, from the plan alone. And the live view, from a second of a load."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from jivsbench.analysis.validity import foresee_steal
from jivsbench.app.live import describe_stage, follow_load
from jivsbench.app.progress import LiveLoad, Note
from jivsbench.cli.live import build_panel, describe_load
from jivsbench.cli.root import root
from jivsbench.errors import ConfigError, EnvironmentProblem, UsageError
from jivsbench.exitcodes import ExitCode
from jivsbench.load.monitor import Monitor
from jivsbench.load.progress import LoadProgress
from jivsbench.model.monitor_rows import MonitorRow
from jivsbench.model.scenario import Arrival, Scenario, Stage, WorkloadSpec
from tests.unit.analysis_records import build_arm_record, build_record

OPEN = """name = "open"
title = "An open loop"
arrival = "rate"
gates = ["http.errors ratio < 2 %"]
[workload]
name = "extraction"
table = "bench_rows"
rows = 100
[[stages]]
duration = "10s"
rate = 20
[[stages]]
duration = "30s"
rate = 20
"""
CLOSED = OPEN.replace('"open"', '"closed"').replace('arrival = "rate"\n', "").replace("rate = ", "users = ")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with an open and a closed scenario."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "open.toml").write_text(OPEN)
    (tmp_path / "scenarios" / "closed.toml").write_text(CLOSED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(*words: str) -> dict:
    """The dry run as JSON."""
    ended = CliRunner().invoke(root, ["run", *words, "--dry-run", "--json"], standalone_mode=False)
    assert ended.return_value == ExitCode.PASSED, ended.output
    return json.loads(ended.stdout)


def costs(dry: dict) -> dict[str, float | None]:
    """Amounts by name."""
    return {cost["name"]: cost["amount"] for cost in dry["costs"]}


def test_an_open_loop_is_known_before_it_is_sent(folder: Path) -> None:
    """The area under the rate: 100 in the ramp and 600 after it, four requests and 100 rows each; nothing is left behind."""
    dry = ask("open")

    assert [(step["start_s"], step["end_s"], step["load_from"], step["load_to"]) for step in dry["steps"]] == [
        (0, 10, 0, 20),
        (10, 40, 20, 20),
    ]
    found = costs(dry)
    assert (found["load"], found["iterations"], found["requests"], found["rows"]) == (40, 700, 2800, 70_000)
    assert found["output"] == pytest.approx(70_000 * 107, rel=0.2)
    assert [path.name for path in folder.iterdir()] == ["scenarios"]


def test_what_depends_on_the_target_is_not_made_up(folder: Path) -> None:
    """A closed loop without thinking: as many iterations as fit. With thinking there is a most."""
    unknown = costs(ask("closed"))
    text = (folder / "scenarios" / "closed.toml").read_text()
    (folder / "scenarios" / "closed.toml").write_text(text.replace("rows = 100\n", 'rows = 100\nthink_time = "2s"\n'))
    dry = ask("closed", "--time-scale", "0.5")

    assert (unknown["load"], unknown["iterations"], unknown["rows"]) == (40, None, None)
    assert costs(dry)["iterations"] == (5 * 10 + 15 * 20) / 2
    assert next(cost for cost in dry["costs"] if cost["name"] == "iterations")["is_most"]


def test_people_read_it_too(folder: Path) -> None:  # noqa: ARG001 - the current folder
    """Stages, costs and gates, and that nothing is sent."""
    ended = CliRunner().invoke(root, ["run", "open", "--dry-run"], standalone_mode=False)

    text = " ".join(ended.stdout.split())
    assert "no load is sent, nothing is started" in text
    assert "0:00.0 0:10.0 0 20 ramps 0:10.0 0:40.0 20 20 holds" in text
    assert "rows 70,000 rows 100 an iteration on average" in text
    assert "gate http.errors ratio < 2 %" in text


@pytest.mark.parametrize("way", [("--source-url", "postgresql://127.0.0.1:1/none"), ("--dry-run",)], ids=["run", "dry run"])
@pytest.mark.parametrize(
    ("scenario", "scale", "machines", "found"),
    [("closed", "1", "21", "20 users"), ("open", "0.01", "8", "7 arrivals"), ("open", "0.0001", "1", "0 arrivals")],
)
@pytest.mark.usefixtures("folder")
def test_a_machine_that_would_have_nothing_to_do_is_refused(way, scenario, scale, machines, found) -> None:
    """Before anything starts: its lag would not be known, and the run INVALID once all of it was sent."""
    words = ["run", scenario, "--time-scale", scale, "--expect-workers", machines, *way]
    ended = CliRunner().invoke(root, words, standalone_mode=False)

    assert isinstance(ended.exception, UsageError)
    assert f"--expect-workers {machines}, and the load of '{scenario}' has {found} to share" in str(ended.exception)


@pytest.mark.usefixtures("folder")
def test_as_many_machines_as_there_are_parts_are_welcome() -> None:
    """One user or one arrival each."""
    assert costs(ask("closed", "--expect-workers", "20"))["load"] == 40
    assert costs(ask("open", "--time-scale", "0.01", "--expect-workers", "7"))["iterations"] == 7


@pytest.mark.parametrize("way", [("--source-url", "postgresql://127.0.0.1:1/none"), ("--dry-run",)], ids=["run", "dry run"])
@pytest.mark.usefixtures("folder")
def test_what_a_run_refuses_for_its_checks_a_dry_run_refuses(way: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of suppressions that is not there, and checks that are not installed."""
    words = ["run", "open", "--check", *way]
    unread = CliRunner().invoke(root, [*words, "--suppressions", "missing.toml"], standalone_mode=False)
    monkeypatch.setenv("JIVSBENCH_DISABLE_PLUGINS", "security")
    without = CliRunner().invoke(root, words, standalone_mode=False)

    assert isinstance(unread.exception, ConfigError)
    assert "missing.toml" in str(unread.exception)
    assert isinstance(without.exception, EnvironmentProblem)
    assert "none is installed" in str(without.exception)


@pytest.mark.parametrize(("scale", "plateau", "most_s"), [("1", "60 s", 12 * 120), ("0.01", "5 s", 12 * 10)])
def test_a_capacity_search_takes_its_plateaus_and_what_is_in_flight_after_them(scale: str, plateau: str, most_s: float) -> None:
    """Of a target that falls behind, each drain takes as long as its plateau."""
    (cost,) = (cost for cost in ask("stress", "--time-scale", scale)["costs"] if cost["name"] == "capacity")

    assert (cost["amount"], cost["is_most"]) == (most_s, True)
    assert f"12 plateaus of {plateau} each and as long again" in cost["how"]


LOOK = MonitorRow(9.0, 300 * 2**20, 200 * 2**20, 5.0, 9, 40, 3, 1, 2, 90, 10)


def live(**changes: object) -> LiveLoad:
    """The ninth second of a load."""
    facts = {"job_p50_ns": 12e6, "job_p95_ns": 30e6, "job_p99_ns": None, "jobs_per_s": 41.0} | changes
    progress = LoadProgress(9.0, 60.0, "optimized", 0, 1, 20, 300, 3_000, 20_000.0, facts.pop("job_p95_ns"), 4, 1e6, **facts)
    return LiveLoad(progress, "stage 1 of 3: to 20 users", LOOK, MonitorRow(0.0, None, None, None, *(None,) * 5, 10, 10))


def test_a_terminal_shows_all_that_matters_at_a_glance() -> None:
    """Stage, elapsed and left, rate, percentiles, errors, pool, cache and memory; what is not known is a dash."""
    console = Console(width=100, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(build_panel(live(steal_ratio=0.031)))

    text = " ".join(captured.get().replace("│", " ").split())
    for part in (
        "stage stage 1 of 3: to 20 users",
        "9 s elapsed, about 51 s left",
        "20,000 records/min, 41.0 jobs/s, 20 users",
        "p50 12 ms p95 30 ms p99 -",
        "errors 4 so far",
        "memory 200 MiB, pool 3 active, 1 idle, 2 waiting, cache 100 % hits",
        "generator p99 of its lag 1 ms, 3.1 % of the CPU stolen",
    ):
        assert part in text


def test_without_a_terminal_it_is_one_line() -> None:
    """The same, for logs."""
    line = describe_load(live(job_p99_ns=50e6))

    assert "\n" not in line
    assert line == (
        "optimized: stage 1 of 3: to 20 users, 20 users, 20,000 records/min, p50 12 ms, p95 30 ms, p99 50 ms, 4 errors, "
        "memory 200 MiB, pool 3 active, 1 idle, 2 waiting, cache 100 % hits"
    )


@pytest.mark.parametrize(("ratio", "end"), [(None, "hits"), (0.009, "hits"), (0.051, "hits, 5.1 % of the CPU stolen")])
def test_logs_say_that_a_machine_is_stolen(ratio: float | None, end: str) -> None:
    """From a hundredth on: most machines lose nothing, and their logs need no word for it."""
    assert describe_load(live(steal_ratio=ratio)).endswith(end)


def test_a_run_that_can_no_longer_be_valid_says_so_once(tmp_path: Path) -> None:
    """Eleven minutes of 60 at 30 % are 5.5 % of the whole: no quiet hour makes up for them. Before that it may come right."""
    heard: list[object] = []
    tell = follow_load(build_record(build_arm_record()).plan, Monitor((), tmp_path / "monitor.jsonl"), heard.append)
    for minute in range(1, 14):
        tell(replace(live(steal_ratio=0.3).progress, elapsed_s=60.0 * minute, total_s=3600.0))

    notes = [(place, event.text) for place, event in enumerate(heard) if isinstance(event, Note)]
    assert len(notes) == 1
    assert notes[0][0] == 11
    assert "stole 30.00% of the machine's CPU time so far, more than 5% of what the whole load takes" in notes[0][1]
    assert foresee_steal(None, 60, 60) is None


def test_a_target_that_was_not_looked_at_has_no_figures() -> None:
    """Neither zero nor a guess."""
    progress = LoadProgress(1.0, 60.0, "a", 0, 1, 20, 0, 0, 0.0, None, 0, None)

    assert describe_load(LiveLoad(progress)) == "a: 20 users, 0 records/min, p50 -, p95 -, p99 -, 0 errors"


@pytest.mark.parametrize(
    ("at_s", "stage"), [(0, "stage 1 of 2: to 5 users"), (10, "stage 2 of 2: at 9 users"), (20, "what is in flight")]
)
def test_the_stage_of_a_moment(at_s: float, stage: str) -> None:
    """By the schedule; after its end there is only what is in flight."""
    scenario = Scenario("s", "s", WorkloadSpec("e", "t", 1), (Stage(10, 5), Stage(10, 9, is_step=True)), (), Arrival.USERS)

    assert describe_stage(scenario, at_s).startswith(stage)
