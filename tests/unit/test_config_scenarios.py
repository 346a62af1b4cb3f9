"""Scenarios: data that is checked before any load is sent."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.config import (
    list_scenarios,
    load_quality_gate,
    load_scenario,
    parse_duration,
    scale_scenario,
    scenario_folders,
)
from jivsbench.config.percent import parse_percent
from jivsbench.errors import ConfigError, GateError, UnknownNameError, UsageError
from jivsbench.model.gate import GateSeverity
from jivsbench.model.gate_text import format_gate
from jivsbench.model.metrics import GROWING
from jivsbench.model.scenario import Arrival, Gaps, Stage

OPERATIONS = ("create", "start", "wait", "statistics", "job")
VALID = """name = "mine"
title = "Mine"
gates = [
  "http.errors ratio < 2 %",
]
[workload]
name = "extraction"
table = "t"
rows = 10
[[stages]]
duration = "30s"
users = 3
step = true
[[stages]]
duration = "1m"
users = 0
"""


@pytest.fixture
def shipped() -> Path:
    """The folder of the scenarios that come with jivsbench."""
    return Path(__file__).parents[2] / "scenarios"


def load(folder: Path, text: str):
    """Write the scenario `mine` and load it."""
    (folder / "mine.toml").write_text(text)
    return load_scenario("mine", (folder,), {"extraction": OPERATIONS})


def test_the_baseline_is_as_designed(shipped: Path) -> None:
    """Seven minutes: up to 5, up to 10, down to none; five gates."""
    scenario = load_scenario("baseline", (shipped,), {"extraction": OPERATIONS})

    assert scenario.stages == (Stage(60, 5), Stage(300, 10), Stage(60, 0))
    assert (scenario.workload.name, scenario.workload.table, scenario.workload.rows) == ("extraction", "bench_rows", 10_000)
    assert [format_gate(gate) for gate in scenario.gates] == [
        "http.response p95 < 500 ms",
        "http.response p99 < 1000 ms",
        "http.errors ratio < 2 %",
        "job.errors ratio < 5 %",
        "rows.lost count <= 0",
    ]


def test_every_shipped_scenario_loads(shipped: Path) -> None:
    """What is listed can be run."""
    names = list_scenarios((shipped,))

    assert "baseline" in names
    assert "quality-gate" not in names
    assert [load_scenario(name, (shipped,)).name for name in names] == list(names)


def test_the_quality_gate_is_read_from_its_one_file(shipped: Path, tmp_path: Path) -> None:
    """Its gates fit the workload `extraction`; a folder without the file is an error."""
    gates = load_quality_gate((shipped,), OPERATIONS)

    assert "findings.critical count <= 0" in [format_gate(gate) for gate in gates]
    with pytest.raises(UnknownNameError, match="no gate file is called 'quality-gate'"):
        load_quality_gate((tmp_path,))


def test_the_users_own_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario in ./scenarios replaces the shipped one of its name; without that folder the shipped ones remain."""
    monkeypatch.chdir(tmp_path)
    assert list_scenarios(scenario_folders())[0] == "baseline"
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "baseline.toml").write_text(VALID.replace('"mine"', '"baseline"'))

    assert scenario_folders()[0] == Path("scenarios")
    assert load_scenario("baseline", scenario_folders()).title == "Mine"


def test_a_step_and_a_ramp_are_told_apart(tmp_path: Path) -> None:
    """`step = true` jumps, without it the users rise in a line."""
    assert load(tmp_path, VALID).stages == (Stage(30, 3, is_step=True), Stage(60, 0))


@pytest.mark.parametrize(
    ("text", "error", "problem"),
    [
        (VALID.replace('"extraction"', '"extracton"'), UnknownNameError, "did you mean 'extraction'"),
        (VALID.replace("http.errors ratio < 2 %", "list.response p95 < 1 s"), GateError, "list.response"),
        (VALID.replace("http.errors ratio < 2 %", "job.response p95 growth <= 5 %"), GateError, "needs a comparison"),
    ],
)
def test_what_a_run_could_not_answer_is_refused_when_it_is_read(tmp_path: Path, text: str, error: type, problem: str) -> None:
    """A workload that nobody loaded, what another workload times, a change in a run of one arm: not after minutes of load."""
    with pytest.raises(error, match=problem):
        load(tmp_path, text)


OPEN = (
    VALID.replace('title = "Mine"', 'title = "Mine"\narrival = "rate"')
    .replace("users = 3", "rate = 12.5")
    .replace("users = 0", "rate = 0")
)


def test_an_open_loop_has_rates(tmp_path: Path) -> None:
    """`arrival = "rate"`: stages in iterations a second, evenly spaced and within bounds unless the file says otherwise."""
    scenario = load(tmp_path, OPEN)

    assert (scenario.arrival, scenario.gaps) == (Arrival.RATE, Gaps.EVEN)
    assert (scenario.in_flight_limit, scenario.queue_limit) == (1000, 1000)
    assert scenario.stages == (Stage(30, is_step=True, rate_per_s=12.5), Stage(60, rate_per_s=0))
    chosen = load(tmp_path, 'gaps = "poisson"\nin_flight_limit = 8\nqueue_limit = 0\n' + OPEN)
    assert (chosen.gaps, chosen.in_flight_limit, chosen.queue_limit) == (Gaps.POISSON, 8, 0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('arrival = "clock"\n' + VALID, "mine.toml:1: arrival: it must be one of users, rate"),
        ('gaps = "poisson"\n' + VALID, 'mine.toml:1: gaps: it belongs to arrival = "rate"'),
        (VALID.replace("users = 3", "rate = 3"), 'stages[0].rate: the scenario has arrival = "users"'),
        (OPEN.replace("rate = 12.5", "users = 3"), 'stages[0].users: the scenario has arrival = "rate"'),
        (OPEN.replace("rate = 12.5", "rate = -1"), "stages[0].rate: it must be a finite number of 0 or more"),
        (OPEN.replace("rate = 12.5", "rate = 1e308"), "stages[0].rate: it must be 1,000,000 or less"),
        (OPEN.replace("rate = 12.5", f"rate = {'9' * 400}"), "stages[0].rate: it must be a finite number of 0 or more"),
        (
            OPEN.replace("rate = 12.5", "rate = 1_000_000").replace("30s", "1000s"),
            "stages: the stages plan 1,030,000,000 arrivals, and a load has 1,000,000,000 at most: make them shorter, or lower",
        ),
        ("in_flight_limit = 1_000_000_000_000\n" + OPEN, "in_flight_limit: it must be 100,000 or less"),
        (OPEN.replace("rate = 12.5\n", ""), "stages[0]: the key 'rate' is missing"),
        (OPEN.replace("rate = 12.5", "rate = 0"), "stages: no stage has a rate"),
        (OPEN.replace('"rate"', '"rate"\ngaps = "random"'), "gaps: it must be one of even, poisson"),
    ],
)
def test_a_mistake_in_an_open_loop_is_shown(tmp_path: Path, text: str, problem: str) -> None:
    """Users and rates do not mix, and what belongs to one loop is refused in the other."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)

    assert problem in str(caught.value)


@pytest.mark.parametrize("name", ["basline", "../mine", "quality-gate", ""])
def test_an_unknown_scenario_is_refused(shipped: Path, name: str) -> None:
    """Only names that are listed can be asked for, so none can leave the folder."""
    with pytest.raises(UnknownNameError, match=r"no scenario is called .*known: .*baseline"):
        load_scenario(name, (shipped,))


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ('name = "mine"', 'name = "other"', 1, "name: the file is called mine.toml"),
        ('title = "Mine"\n', "", 1, "the file: the key 'title' is missing"),
        ("title", "titel", 2, "titel: no section or key is called 'titel': did you mean 'title'?"),
        ('duration = "30s"', 'duration = "30 s"', 11, "stages[0].duration: '30 s' is no duration"),
        ('duration = "1m"', "duration = 60", 15, "stages[1].duration: it must be text, and it is a whole number"),
        ('duration = "1m"', 'duration = "0s"', 15, "stages[1].duration: a stage of no time"),
        ("users = 3", "users = -3", 12, "stages[0].users: it must be 0 or more"),
        ('duration = "1m"', 'duration = "0.0001ms"', 15, "stages[1].duration: a stage of no time"),
        ('duration = "1m"', 'duration = "8785h"', 15, "stages[1].duration: it must be 366 days (8784h) or less"),
        ('duration = "1m"', 'duration = "8784h"', 10, "stages: the stages last 31,622,430 s together, and a load lasts 366 days"),
        ("users = 3", f"users = {10**12}", 12, "stages[0].users: it must be 100,000 or less"),
        ("users = 3", f"users = {'3' * 5_000}", 12, "a number has thousands of digits"),
        ('title = "Mine"', f"title = 'Mine'\nquestions={'[' * 5_000}", 3, "it is nested too deeply"),
        ('title = "Mine"', "title = 'Mine'\np95_limit = '0s'", 3, "p95_limit: no answer takes no time"),
        ("users = 3\n", "", 10, "stages[0]: the key 'users' is missing"),
        ("users = 3", "users = 0", 10, "stages: no stage has users"),
        ("step = true", 'step = "yes"', 13, "stages[0].step: it must be true or false, and it is text"),
        ("rows = 10", "rows = 0", 9, "workload.rows: it must be 1 or more"),
        ('table = "t"\n', "", 6, "workload: the key 'table' is missing"),
        ('  "http.errors ratio < 2 %",\n', "", 3, "gates: a run that no gate judges cannot fail"),
        ('"http.errors ratio < 2 %"', "7", 3, "gates: entry 1 must be text"),
    ],
)
def test_a_mistake_in_a_scenario_is_shown_with_line_and_key(tmp_path: Path, old: str, new: str, line: int, problem: str) -> None:
    """File, line, key, what was found and what to do."""
    assert old in VALID

    with pytest.raises(ConfigError) as caught:
        load(tmp_path, VALID.replace(old, new, 1))

    assert str(caught.value).startswith(f"{tmp_path / 'mine.toml'}:{line}: ")
    assert problem in str(caught.value)


def test_stages_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    """A list of numbers is not a list of stages."""
    with pytest.raises(ConfigError, match=r"mine\.toml:1: stages: entry 1 must be a table: write \[\[stages\]\]"):
        load(tmp_path, "stages = [1, 2]\n" + VALID.partition("[[stages]]")[0])


@pytest.mark.parametrize(
    ("gate", "problem"),
    [
        ("http.response p95 < 500", "lacks its unit"),
        ("http.responce p95 < 500 ms", "did you mean 'http.response'"),
        ("extract.response p95 < 500 ms", "no metric of this workload is called 'extract.response'"),
    ],
)
def test_a_bad_gate_is_shown_with_its_file(tmp_path: Path, gate: str, problem: str) -> None:
    """A gate that cannot be read, or that the workload cannot answer, stops the command before any load."""
    with pytest.raises(GateError, match=problem) as caught:
        load(tmp_path, VALID.replace("http.errors ratio < 2 %", gate))

    assert str(caught.value).startswith(f"{tmp_path / 'mine.toml'}:3: gates: ")


@given(st.floats(min_value=1e-3, max_value=1e3))
def test_scaling_shrinks_every_duration_alike(time_scale: float) -> None:
    """Shares of the whole stay, and so do the users."""
    scenario = load_scenario("baseline", scenario_folders())

    scaled = scale_scenario(scenario, time_scale)

    assert [stage.users for stage in scaled.stages] == [stage.users for stage in scenario.stages]
    assert all(
        math.isclose(after.duration_s, before.duration_s * time_scale)
        for before, after in zip(scenario.stages, scaled.stages, strict=True)
    )
    assert (scaled.workload, scaled.gates) == (scenario.workload, scenario.gates)


@pytest.mark.parametrize("time_scale", [0.0, -1.0, 1e-320, 1e-9, math.nan, math.inf])
def test_a_scale_that_leaves_no_time_is_refused(time_scale: float) -> None:
    """Zero, negative and endless scales are mistakes, not short runs."""
    with pytest.raises(UsageError, match="leaves no time to measure"):
        scale_scenario(load_scenario("baseline", scenario_folders()), time_scale)


@pytest.mark.parametrize("time_scale", [1e308, 1e6])
def test_a_scale_that_makes_a_load_endless_is_refused(time_scale: float) -> None:
    """Seven minutes times a million are 13 years; times 1e308 they are no number any more."""
    with pytest.raises(UsageError, match=r"with the time scale 1e\+\d+ the stages last .* s together, and a load lasts 366 days"):
        scale_scenario(load_scenario("baseline", scenario_folders()), time_scale)


def test_a_scale_must_leave_arrivals_that_can_be_counted(tmp_path: Path) -> None:
    """What the file may plan, a scale may make too many: 990 million within 990 s, ten times as long."""
    text = OPEN.replace("rate = 12.5", "rate = 1_000_000").replace('"30s"', '"990s"').replace('"1m"', '"1ms"')
    scenario = load(tmp_path, text)

    with pytest.raises(UsageError, match="with the time scale 10 the stages plan 9,900,005,000 arrivals"):
        scale_scenario(scenario, 10.0)


@pytest.mark.parametrize("text", ["", "5", "0 %", "9" * 400 + "%"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    """Nor is one that is too large to be a number."""
    with pytest.raises(ConfigError, match="is no share: write one above 0 with its sign"):
        parse_percent(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1m30s", 90), ("45s", 45), ("500ms", 0.5), ("2h", 7200), ("1h1m1s1ms", 3661.001), ("1.5s", 1.5), ("2m5ms", 120.005)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    """Hours, minutes, seconds and milliseconds, in this order."""
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("text", ["", "5", "s", "1s1m", "-1s", "1 m", "1M", "1e3s", "1m1m"])
def test_a_duration_without_units_or_order_is_refused(text: str) -> None:
    """A bare number could be seconds or minutes."""
    with pytest.raises(ConfigError, match="is no duration: write one such as '1m30s'"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9" * 400 + "s", "9" * 308 + "h", "1000001h"])
def test_a_duration_that_nothing_lasts_is_refused(text: str) -> None:
    """No clock reaches its end, and computing with it fails."""
    with pytest.raises(ConfigError, match="is longer than anything here lasts: write a duration of at most 1000000h"):
        parse_duration(text)


@pytest.mark.parametrize(("name", "questions"), [("stress", 3), ("soak", 1), ("spike", 1)])
def test_the_scenarios_that_ask_are_read(name: str, questions: int) -> None:
    """Stress, soak and spike ask what their gates judge, and last as long as the design says."""
    scenario = load_scenario(name, scenario_folders())

    assert len(scenario.questions) == questions
    assert scenario.duration_s / 60 == {"stress": 21, "soak": 130, "spike": 12}[name]


def test_the_soak_judges_everything_that_should_not_grow() -> None:
    """Each gauge that a run watches has a gate; what not every server tells only warns."""
    gates = {gate.metric: gate.severity for gate in load_scenario("soak", scenario_folders()).gates}

    assert {f"growth.{gauge}" for gauge in GROWING} <= gates.keys()
    assert gates["growth.backends"] is GateSeverity.WARN
