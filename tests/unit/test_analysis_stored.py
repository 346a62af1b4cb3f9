from dataclasses import replace

import pytest
from click.testing import CliRunner

from jivsbench.analysis import judge, summarize
from jivsbench.analysis.stored import DEFAULT_FIGURES, DRIFT_CAVEAT, Allowance, compare_stored, find_differences
from jivsbench.app import stored_comparison
from jivsbench.app.stored_comparison import compare_runs
from jivsbench.cli.root import root
from jivsbench.errors import InvalidRunError, UsageError
from jivsbench.exitcodes import ExitCode
from jivsbench.model.comparison import ComparisonOutcome
from jivsbench.model.scenario import Arrival, Stage
from jivsbench.report.run_file import dump_run
from tests.unit.analysis_records import build_arm_record, build_record, change_arm

A = build_record(build_arm_record())
SLOWER = build_record(build_arm_record(job_ms=150.0))


def measured(record):
    """A run as comparisons take it."""
    return record, summarize(record)


def differ(a, b):
    """What differs between two runs."""
    return find_differences(measured(a), measured(b))


def results(a, b, *, drift_allowed: bool):
    """Outcome by figure."""
    found = compare_stored(measured(a), measured(b), DEFAULT_FIGURES, 0.05, drift_allowed=drift_allowed)
    return {f"{result.metric} {result.statistic}": result for result in found}


def test_arrivals_under_other_limits_are_another_load():
    """Fifty at once and a thousand at once send different arrivals; of users neither limit says anything."""
    rate = replace(A.plan.scenario, arrival=Arrival.RATE, stages=(Stage(1.0, rate_per_s=5.0),))
    plans = [replace(A.plan, scenario=replace(rate, in_flight_limit=limit)) for limit in (50, 1000)]
    closed = replace(A, plan=replace(A.plan, scenario=replace(A.plan.scenario, in_flight_limit=50)))

    assert "in flight limit: 50 against 1000" in [d.text for d in differ(*(replace(A, plan=plan) for plan in plans))]
    assert differ(A, closed) == ()


def test_without_word_on_drift_nothing_is_concluded():
    """Half as fast again, and still it could be the machine: the figures are shown, the end is open."""
    found = results(A, SLOWER, drift_allowed=False)

    assert {result.outcome for result in found.values()} == {ComparisonOutcome.INCONCLUSIVE}
    assert found["job.response mean"].ratio == pytest.approx(1.5)
    assert found["job.response mean"].reason == DRIFT_CAVEAT


def test_with_drift_ruled_out_the_plain_ratio_decides():
    """Only what the user answers for: worse, better and equal by the margin."""
    assert results(A, SLOWER, drift_allowed=True)["job.response mean"].outcome is ComparisonOutcome.WORSE
    assert results(SLOWER, A, drift_allowed=True)["job.response mean"].outcome is ComparisonOutcome.BETTER
    assert results(A, A, drift_allowed=True)["job.response mean"].outcome is ComparisonOutcome.EQUIVALENT
    assert results(A, A, drift_allowed=True)["job.errors ratio"].outcome is ComparisonOutcome.EQUIVALENT


def test_a_figure_that_one_run_lacks_is_open_even_then():
    """Blocks of old runs hold no CPU time."""
    result = results(A, A, drift_allowed=True)["target.cpu_per_million_rows mean"]

    assert (result.outcome, result.ratio) == (ComparisonOutcome.INCONCLUSIVE, None)
    assert "not measured" in result.reason


def test_other_workloads_machines_and_units_are_differences():
    """Each is named with both values, and with what allows it."""
    workload = replace(A.plan.scenario.workload, rows=5000)
    other = replace(A, plan=replace(A.plan, scenario=replace(A.plan.scenario, workload=workload)))
    faster = replace(A, environment=replace(A.environment, cpu_count=64))
    without_pss = change_arm(A, monitor=tuple(replace(row, pss_bytes=None) for row in A.arms[0].monitor))

    assert [(d.allowance, d.text) for d in differ(A, other)] == [(Allowance.WORKLOAD, "workload's rows: 1000 against 5000")]
    open_loops = [
        replace(
            A, plan=replace(A.plan, scenario=replace(A.plan.scenario, arrival=Arrival.RATE, stages=(Stage(5, rate_per_s=rate),)))
        )
        for rate in (10.0, 20.0)
    ]
    assert [d.text for d in differ(*open_loops)] == [
        "stages: 5 s to 10 iterations/s, even gaps against 5 s to 20 iterations/s, even gaps"
    ]
    assert [(d.allowance, d.text) for d in differ(A, faster)] == [(Allowance.MACHINE, "CPU: 2 x cpu against 64 x cpu")]
    assert [(d.allowance, d.text) for d in differ(A, without_pss)] == [(Allowance.UNITS, "kind of memory: PSS against RSS")]
    assert differ(A, SLOWER) == ()


def write(folder, record):
    """A bundle of it."""
    folder.mkdir()
    summary = summarize(record)
    (folder / "run.json").write_bytes(dump_run(record, summary, judge(record, summary, ())))
    return str(folder)


def test_what_differs_is_refused_unless_told(tmp_path):
    """The message names both values and the flag; with the flag the difference stays in the result."""
    faster = replace(A, environment=replace(A.environment, cpu_count=64))
    names = (write(tmp_path / "a", A), write(tmp_path / "b", faster))

    with pytest.raises(UsageError, match=r"CPU: 2 x cpu against 64 x cpu.*--allow machine"):
        compare_runs(tmp_path, names, (), 0.05, ())
    assert [d.text for d in compare_runs(tmp_path, names, (), 0.05, (Allowance.MACHINE,)).allowed] == [
        "CPU: 2 x cpu against 64 x cpu"
    ]


def test_an_invalid_run_is_not_compared(tmp_path):
    """It says nothing about its target, so neither does its difference from another."""
    names = (write(tmp_path / "a", A), write(tmp_path / "b", replace(A, invalid=("saturated",))))

    with pytest.raises(InvalidRunError, match="saturated"):
        compare_runs(tmp_path, names, (), 0.05, tuple(Allowance))


def test_each_run_is_summed_up_once(tmp_path, monkeypatch):
    """However many figures are compared: of a run of hours, one summary takes its time."""
    names = (write(tmp_path / "a", A), write(tmp_path / "b", SLOWER))
    summed_up = []
    monkeypatch.setattr(stored_comparison, "summarize", lambda record: summed_up.append(record) or summarize(record))

    compare_runs(tmp_path, names, (), 0.05, (Allowance.DRIFT,))

    assert len(summed_up) == 2


def test_the_command_shows_every_figure_whole_and_how_weak_it_all_is(tmp_path, monkeypatch):
    """In a terminal of 80 columns too: a figure that is cut off would be another one."""
    monkeypatch.setenv("COLUMNS", "80")
    names = (write(tmp_path / "a", A), write(tmp_path / "b", SLOWER))
    ended = CliRunner().invoke(root, ["compare", *names], standalone_mode=False)

    assert ended.return_value == ExitCode.INVALID
    assert "\N{HORIZONTAL ELLIPSIS}" not in ended.output
    assert ended.output.count("INCONCLUSIVE") == len(DEFAULT_FIGURES)
    assert "24 to 82 % different" in ended.output
