"""The history: runs are stored once, series are never mixed, changes are named by commit."""

import re
from dataclasses import field, fields, make_dataclass, replace

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from jivsbench.analysis.contradictions import compare_workload
from jivsbench.analysis.run_claims import describe_workload
from jivsbench.app.conclusion import conclude
from jivsbench.app.history import USUAL, name_series, read_trends, store_runs, write_index
from jivsbench.cli.history import history
from jivsbench.cli.root import root
from jivsbench.errors import ConfigError, EnvironmentProblem, OutputError, UnknownNameError
from jivsbench.exitcodes import ExitCode
from jivsbench.history import open_history
from jivsbench.model.comparison import ComparisonRule, Criterion
from jivsbench.model.gate import Unit, Window, WindowKind
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.history import HistoryRun
from jivsbench.model.profile import PoolLimits
from jivsbench.model.scenario import (
    Arrival,
    FeedFacts,
    Gaps,
    MixAction,
    MixEntry,
    OfferedSource,
    SourceKind,
    Stage,
    ThinkTime,
    WorkloadSpec,
)
from jivsbench.model.secret import Secret
from jivsbench.model.summary import Figure, Provenance
from jivsbench.plugins import load_registry
from jivsbench.report.bundle import read_run
from jivsbench.report.run_file import dump_run
from tests.unit.analysis_records import build_arm_record, build_comparison, build_record, change_arm


def figure(value, metric="job.response", statistic="p95"):
    """One figure of the candidate."""
    return Figure("optimized", metric, statistic, value, Unit.MILLISECONDS, 9, Provenance.MEASURED, "")


def run(number, *, series="a", outcome="PASSED"):
    """One run of a day."""
    return HistoryRun(
        f"run-{number:03d}-{series}", f"2030-01-{number + 1:02d}T00:00:00+00:00", f"{number:040x}", "tiny", series, outcome, "0"
    )


def fill(store, levels, **settings):
    """Runs with these p95, in order."""
    for number, level in enumerate(levels):
        store.add(run(number, **settings), [figure(level), figure(None, "http.response")])


def test_a_run_is_stored_once_and_what_was_not_measured_is_not_stored(tmp_path):
    """Storing it again changes nothing; a figure without a value is no 0."""
    with open_history(None, tmp_path) as store:
        assert store.add(run(1), [figure(5.0), figure(None, "http.response")])
        assert not store.add(run(1), [figure(7.0)])
        (trend,) = read_trends(store, (("job.response", "p95"), ("http.response", "p95")))

    assert [value.value for value in trend.values] == [5.0]
    assert (tmp_path / "history.sqlite3").stat().st_mode & 0o777 == 0o600


def test_figures_over_windows_are_no_figures_of_the_run(tmp_path):
    """A steady window gives a second p95 of the same run: the one over the whole of it is stored."""
    steady = replace(figure(3.0), window=Window(WindowKind.STEADY))
    with open_history(None, tmp_path) as store:
        assert store.add(run(1), [figure(5.0), steady])
        (trend,) = read_trends(store, (("job.response", "p95"),))

    assert [value.value for value in trend.values] == [5.0]


def test_series_are_never_mixed_and_invalid_runs_say_nothing(tmp_path):
    """Runs of another machine stand in a line of their own; an INVALID run in none."""
    with open_history(None, tmp_path) as store:
        fill(store, [1.0, 2.0])
        fill(store, [9.0], series="b")
        store.add(run(20, outcome="INVALID"), [figure(99.0)])
        trends = read_trends(store)

        assert [[value.value for value in trend.values] for trend in trends] == [[1.0, 2.0], [9.0]]
        assert [stored.run_id for stored in store.list_runs()][-1] == "run-020-a"


def test_a_history_in_postgresql_is_the_same(tmp_path, embedded_postgres_url):
    """The same calls on a server."""
    from tests.unit.jobs_stores import own_database

    with own_database(embedded_postgres_url) as url, open_history(Secret(url), tmp_path) as store:
        fill(store, [100.0 + place % 3 for place in range(10)] + [150.0 + place % 3 for place in range(10)])
        (trend,) = read_trends(store)

    assert [change.place for change in trend.changes] == [10]


def test_a_change_is_named_by_its_commit(tmp_path):
    """`changes --check` ends with 1 when the last step was for the worse, and with 0 when it was for the better."""
    with open_history(None, tmp_path) as store:
        fill(store, [100.0 + place % 3 for place in range(10)] + [150.0 + place % 3 for place in range(10)])

    status, output = call("changes", "--check", "--reports-dir", tmp_path)

    assert status == ExitCode.GATE_FAILED
    assert f"worse since {10:040x}" in output
    assert "101 to 151 ms, +49.5 %" in output
    assert call("changes", "--reports-dir", tmp_path, "--json")[0] == ExitCode.PASSED
    assert call("changes", "--check", "--metric", "throughput.records rate", "--reports-dir", tmp_path)[0] == ExitCode.INVALID


WORSE = [100.0 + place % 3 for place in range(10)] + [150.0 + place % 3 for place in range(10)]
FLAT = [100.0 + place % 3 for place in range(12)]


def later(store, count, *, first=25, value=900.0, outcome="PASSED", scenario="tiny"):
    """Runs of another series, after all that `fill` stored."""
    for number in range(first, first + count):
        shorter = replace(run(number, series="b", outcome=outcome), scenario=scenario)
        store.add(replace(shorter, run_id=f"{scenario}-{number}"), [figure(value)])


@pytest.mark.parametrize(
    ("levels", "more", "status"),
    [
        (FLAT, {"count": 0}, ExitCode.PASSED),
        # The machine is another one, and five runs say nothing yet, ten times slower as they are.
        (FLAT, {"count": 5}, ExitCode.INVALID),
        # A step for the worse in a series that nobody adds to any more.
        (WORSE, {"count": 5}, ExitCode.INVALID),
        (WORSE, {"count": 10}, ExitCode.PASSED),
        (FLAT, {"count": 1, "outcome": "INVALID"}, ExitCode.INVALID),
        # A scenario that was played once was never watched.
        (FLAT, {"count": 1, "scenario": "once"}, ExitCode.PASSED),
        (WORSE, {"count": 1, "scenario": "once"}, ExitCode.GATE_FAILED),
    ],
)
def test_a_check_looks_at_the_series_of_the_newest_runs(tmp_path, levels, more, status):
    """What ended before is neither green nor red, and too few of the new ones are no answer."""
    with open_history(None, tmp_path) as store:
        fill(store, levels)
        later(store, **more)

    assert call("changes", "--check", "--reports-dir", tmp_path)[0] == status


def test_a_check_can_look_at_one_scenario_alone(tmp_path):
    """An abandoned one that ended worse does not hold up the others."""
    with open_history(None, tmp_path) as store:
        fill(store, WORSE)
        later(store, 10, scenario="other", first=21)
    reports = ("--reports-dir", tmp_path)

    assert call("changes", "--check", *reports)[0] == ExitCode.GATE_FAILED
    status, output = call("changes", "--check", "--scenario", "other", *reports)
    assert status == ExitCode.PASSED
    assert "tiny" not in output
    assert call("changes", "--check", "--scenario", "missing", *reports)[0] == ExitCode.INVALID


def test_a_load_that_was_ended_early_stands_in_no_line(tmp_path):
    """It is listed; its figures are of a part of the plan."""
    record = replace(build_record(build_arm_record()), aborted="gate 'job.errors ratio < 1 % for 5s abort' ended the run")
    conclude(record, tmp_path / "runs" / "one", load_registry())
    with open_history(None, tmp_path) as store:
        assert store_runs(store, tmp_path, ()).added == (record.run_id,)

        assert [stored.run_id for stored in store.list_runs()] == [record.run_id]
        assert read_trends(store) == ()


def test_bundles_are_stored_from_the_reports_folder(tmp_path):
    """Every run is read; one that cannot be read is named and stops no other."""
    record = build_record(build_arm_record())
    conclude(record, tmp_path / "runs" / "one", load_registry())
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{}")
    with open_history(None, tmp_path) as store:
        stored = store_runs(store, tmp_path, ())

        assert (stored.added, stored.known) == ((record.run_id,), ())
        assert "run.json" in stored.unreadable[0]
        assert store_runs(store, tmp_path, ()).known == (record.run_id,)
        with pytest.raises(ConfigError):
            store_runs(store, tmp_path, ("broken",))


def spoil(run_file, number):
    """Another count of failed jobs, as text: JSON can write what no run holds."""
    run_file.write_text(re.sub(r'"job_errors": \d+', f'"job_errors": {number}', run_file.read_text()))


def call_on_spoilt(reports_dir, number, *words):
    """What a command ends with beside a sound run called `run`, when `one` is a comparison with such a count."""
    rule = ComparisonRule((Criterion("job.response", "mean"),), 0.05, 0.05, (12,))
    record = build_comparison()
    conclude(replace(record, plan=replace(record.plan, rule=rule)), reports_dir / "runs" / "one", load_registry())
    conclude(build_record(build_arm_record()), reports_dir / "runs" / "run", load_registry())
    spoil(reports_dir / "runs" / "one" / "run.json", number)
    (reports_dir / "runs" / "one" / "SHA256SUMS").unlink()
    return CliRunner().invoke(root, [*words, "--reports-dir", str(reports_dir)], standalone_mode=False).exception


JUDGING = (
    ("gate", "one"),
    ("gate", "one", "--write"),
    ("report", "one"),
    ("history", "add", "one"),
    ("baseline", "promote", "one"),
)
READING = (
    ("gate", "run", "--against", "one"),
    ("compare", "one", "run"),
    ("compare", "run", "one"),
    ("audit", "one"),
    ("audit", "run", "--against", "one"),
)


@pytest.mark.parametrize(("number", "shown"), [("1" + "0" * 400, "1" + "0" * 19 + "..."), ("NaN", "nan"), ("1e999", "inf")])
@pytest.mark.parametrize("words", JUDGING + READING, ids=" ".join)
def test_an_impossible_number_of_a_stored_run_is_one_error_everywhere(tmp_path, words, number, shown):
    """Whichever command reads the run: it cannot have been measured."""
    error = call_on_spoilt(tmp_path, number, *words)

    assert isinstance(error, ConfigError), error
    assert f"one/run.json holds the number {shown}, which no measurement gives" in str(error)


@pytest.mark.parametrize("words", JUDGING, ids=" ".join)
def test_numbers_that_no_figure_comes_from_are_one_error_everywhere(tmp_path, words):
    """Each may be read; of fewer failed jobs than none no deviation can be computed."""
    error = call_on_spoilt(tmp_path, "-1", *words)

    assert isinstance(error, ConfigError), error
    assert "one has no figures (math domain error): it was not written by jivsbench" in str(error)


def test_a_run_of_impossible_numbers_stops_no_other(tmp_path):
    """Counts that no float can hold: the run is named, and the others are stored."""
    record = build_record(build_arm_record())
    impossible = change_arm(record, job_errors=10**400)
    conclude(record, tmp_path / "runs" / "one", load_registry())
    (tmp_path / "runs" / "huge").mkdir()
    run = read_run(tmp_path / "runs" / "one")
    (tmp_path / "runs" / "huge" / "run.json").write_bytes(dump_run(impossible, run.summary, run.verdict))

    with open_history(None, tmp_path) as store:
        stored = store_runs(store, tmp_path, ())

    assert stored.added == (record.run_id,)
    assert "huge/run.json holds the number 10000000000000000000..., which no measurement gives" in stored.unreadable[0]


def test_what_must_agree_names_the_series():
    """Another profile, another workload, another machine: another series. Another moment or seed: the same."""
    record = build_record(build_arm_record())
    plan, environment = record.plan, record.environment
    others = (
        replace(record, plan=replace(plan, table_rows=5)),
        replace(record, plan=replace(plan, profiles=(replace(plan.profiles[0], batch_rows=7),))),
        replace(record, environment=replace(environment, cpu_count=64)),
        replace(record, plan=replace(plan, profiles=(replace(plan.profiles[0], pool=PoolLimits(max_size=3)),))),
    )

    assert name_series(record) == name_series(replace(change_arm(record, call_count=5), run_id="x", plan=replace(plan, seed=9)))
    assert len({name_series(other) for other in (record, *others)}) == 5


def test_a_setting_at_its_default_names_no_series():
    """So a setting that a later version has besides begins no new series for those who leave it alone."""
    record = build_record(build_arm_record())
    (profile,) = record.plan.profiles
    grown = make_dataclass("Profile", [("later", int, field(default=5))], bases=(type(profile),), frozen=True, kw_only=True)
    settings = {one.name: getattr(profile, one.name) for one in fields(profile)}

    def name(**more) -> str:
        return name_series(replace(record, plan=replace(record.plan, profiles=(grown(**settings, **more),))))

    assert name() == name_series(record) != name(later=6)


PLAIN = build_record(build_arm_record())
MIX = (MixEntry(MixAction.LIST, 1.0), MixEntry(MixAction.EXTRACTION, 3.0, rows=100))
CHANGES = {
    "name": "mixed",
    "table": "other_rows",
    "rows": 7,
    "key": "uid",
    "think_time_s": 2.0,
    "think_time": ThinkTime.EXPONENTIAL,
    "think_time_spread_s": 1.0,
    "mix": MIX,
    "feed": FeedFacts("rows.csv", 5, ("a",), "0" * 64),
}


def change_scenario(**changed):
    """The plain run with another scenario."""
    return replace(PLAIN, plan=replace(PLAIN.plan, scenario=replace(PLAIN.plan.scenario, **changed)))


def change_workload(**changed):
    """The plain run with another workload."""
    return change_scenario(workload=replace(PLAIN.plan.scenario.workload, **changed))


@pytest.mark.parametrize("field", [field.name for field in fields(WorkloadSpec)])
def test_every_part_of_a_workload_makes_another_one(field):
    """Another series, and a contradiction when the two runs are held against each other."""
    other = change_workload(**{field: CHANGES[field]})

    assert name_series(other) != name_series(PLAIN)
    assert [relation for relation in compare_workload(describe_workload(PLAIN), describe_workload(other)) if not relation.holds]


def test_what_an_open_loop_does_is_part_of_its_workload():
    """Spacing and limits count there, sources everywhere; the unit of a mix's weights and the name of a feed count nowhere."""
    stages = (Stage(10.0, is_step=True, rate_per_s=10.0),)
    rate = {"arrival": Arrival.RATE, "stages": stages}
    sourced = replace(PLAIN, plan=replace(PLAIN.plan, sources=(OfferedSource(SourceKind.FILES, "files", "CSV"),)))
    others = [change_scenario(**rate, **{name: value}) for name, value in (("in_flight_limit", 5), ("queue_limit", 5))]
    others += [change_scenario(**rate), change_scenario(**rate, gaps=Gaps.POISSON), sourced, PLAIN]
    weights = [change_workload(mix=tuple(replace(entry, weight=entry.weight * factor) for entry in MIX)) for factor in (1, 7)]
    feeds = [change_workload(feed=replace(CHANGES["feed"], name=name)) for name in ("a.csv", "b.csv")]

    assert len({name_series(other) for other in others}) == len(others)
    assert name_series(change_scenario(gaps=Gaps.POISSON)) == name_series(PLAIN)
    assert len({name_series(other) for other in (*weights, *feeds)}) == 2


@pytest.mark.parametrize("arrival", Arrival)
def test_a_usual_workload_stands_in_the_series_that_older_versions_named(arrival):
    """Its key holds what they told apart and nothing else."""
    record = change_scenario(workload=replace(PLAIN.plan.scenario.workload, table="bench_rows"), arrival=arrival)

    assert [name for name, value in describe_workload(record).settings if (name, value) not in USUAL] == [
        "workload",
        "rows of one extraction",
        "rows of the table",
        "what makes an iteration begin",
        "most users, or iterations a second",
        "think time",
        "source",
    ]


def test_a_wrong_database_is_an_error_with_a_way_out(tmp_path):
    """No password in any message."""
    engine = create_engine(f"sqlite:///{tmp_path}/new.sqlite3")
    open_history(Secret(f"sqlite:///{tmp_path}/new.sqlite3"), tmp_path)
    with engine.begin() as connection:
        connection.execute(text("UPDATE jivsbench_history SET version = 9"))
    engine.dispose()
    (tmp_path / "file").touch()

    for url, error, message in (
        ("mysql://u:S3cret@h/d", ConfigError, "cannot be kept in 'mysql'"),
        ("postgresql://u:S3cret@127.0.0.1:1/d?connect_timeout=1", EnvironmentProblem, "could not be opened"),
        (f"sqlite:///{tmp_path}/new.sqlite3", ConfigError, "of version 9"),
    ):
        with pytest.raises(error, match=message) as caught:
            open_history(Secret(url), tmp_path)
        assert "S3cret" not in str(caught.value)
    with pytest.raises(OutputError, match="cannot be written"):
        open_history(None, tmp_path / "file")


def test_the_database_of_the_history_may_be_named_by_a_file(tmp_path, monkeypatch):
    """As every other URL of the environment that can hold a password."""
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path}/team.sqlite3\n")
    (tmp_path / "url").chmod(0o600)
    monkeypatch.setenv("JIVSBENCH_HISTORY_URL_FILE", str(tmp_path / "url"))

    status, _ = call("list", "--reports-dir", tmp_path)

    assert status == ExitCode.PASSED
    assert (tmp_path / "team.sqlite3").exists()
    assert not (tmp_path / "history.sqlite3").exists()


def call(*words) -> tuple[int, str]:
    """Exit code and output of one call."""
    parent = root.make_context("jivsbench", [], resilient_parsing=True)
    result = CliRunner().invoke(history, [str(word) for word in words], standalone_mode=False, parent=parent)
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


def test_the_index_lists_every_run_and_draws_every_line(tmp_path):
    """Newest first with a link where there is a report; a change of level is named; INVALID runs are listed and not drawn."""
    (tmp_path / "runs" / "run-019-a").mkdir(parents=True)
    (tmp_path / "runs" / "run-019-a" / "report.html").touch()
    with open_history(None, tmp_path) as store:
        fill(store, [100.0 + place % 3 for place in range(10)] + [150.0 + place % 3 for place in range(10)])
        store.add(run(20, outcome="INVALID"), [figure(99.0)])
        path, stored = write_index(store, tmp_path)
    page = path.read_text()

    assert stored.added == ()
    assert page.index("run-020-a") < page.index("run-019-a") < page.index("run-000-a")
    assert page.count('href="runs/') == 1
    assert "2030-01-20 00:00:00 UTC" in page
    assert "Worse since commit 00000000" in page
    assert "<td>99" not in page
    assert re.search(r"<script|https?://", page) is None


def test_the_index_survives_hostile_names_and_an_empty_folder(tmp_path):
    """Names are text; without a run the page says so."""
    hostile = replace(run(1), run_id="<script>alert(1)</script>", scenario='"><img src=x onerror=alert(1)>')
    with open_history(None, tmp_path) as store:
        assert "No run is stored yet." in write_index(store, tmp_path)[0].read_text()
        store.add(hostile, [figure(5.0)])
        page = write_index(store, tmp_path)[0].read_text()

    assert "<script" not in page
    assert "<img" not in page


def test_the_command_writes_the_index_of_a_reports_folder(tmp_path):
    """A finished run is stored and listed; its path is printed."""
    folder = tmp_path / "runs" / "r1"
    folder.mkdir(parents=True)
    conclude(replace(build_record(build_arm_record()), run_id="r1"), folder, load_registry())
    result = CliRunner().invoke(root, ["index", "--reports-dir", str(tmp_path)], standalone_mode=False)

    assert result.output.strip() == str(tmp_path / "index.html")
    assert 'href="runs/r1/report.html"' in (tmp_path / "index.html").read_text()


def test_the_index_shows_the_verdict_that_the_report_shows(tmp_path):
    """A miss that somebody answers for is CONDITIONAL there too, also when `gate --write` says so after the first index."""
    record = build_record(build_arm_record())
    gate = parse_gate("job.response p95 < 1 ms")
    record = replace(record, run_id="r1", plan=replace(record.plan, scenario=replace(record.plan.scenario, gates=(gate,))))
    folder = tmp_path / "runs" / "r1"
    folder.mkdir(parents=True)
    conclude(record, folder, load_registry())
    (tmp_path / "waivers.toml").write_text(
        '[[waivers]]\ngate = "job.response p95 < 1 ms"\nowner = "ann"\nreason = "known"\nexpires = 2999-01-01\n'
    )
    reports = ("--reports-dir", str(tmp_path))
    verdicts = []
    for words in (("index",), ("gate", "r1", "--waivers", str(tmp_path / "waivers.toml"), "--write"), ("index",)):
        CliRunner().invoke(root, [*words, *reports], standalone_mode=False)
        with open_history(None, tmp_path) as store:
            verdicts.append(store.list_runs()[0].outcome)

    assert verdicts == ["FAILED", "FAILED", "CONDITIONAL"]
    assert "CONDITIONAL" in (tmp_path / "index.html").read_text()


def test_an_operation_of_a_workload_has_a_history_too(tmp_path):
    """`create.response p95` is a figure of a run; a wrong name is answered with the nearest one."""
    with open_history(None, tmp_path) as store:
        store.add(run(1), [figure(5.0, "create.response")])

    assert "create.response p95: 1 runs" in call("changes", "--metric", "create.response p95", "--reports-dir", tmp_path)[1]
    with pytest.raises(UnknownNameError, match="did you mean 'job"):
        call("changes", "--metric", "job.response p59", "--reports-dir", tmp_path)
