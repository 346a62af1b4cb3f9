"""Baselines: only a run beyond doubt is promoted, and only what was promoted is held against."""

import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from jivsbench import __version__
from jivsbench.analysis import summarize
from jivsbench.analysis.sequential import list_sequential_effects
from jivsbench.app.baselines import find_baseline, list_promotions, promote, read_promotion
from jivsbench.app.conclusion import conclude, judge_again, render_again
from jivsbench.cli.baseline import baseline
from jivsbench.cli.report import report
from jivsbench.cli.root import root
from jivsbench.errors import ConfigError, UnknownNameError, UsageError
from jivsbench.exitcodes import ExitCode
from jivsbench.model.gate import GateOutcome
from jivsbench.model.gate_text import parse_gate
from jivsbench.model.inputs import Inputs, SuiteResults, Waiver, WaiverTarget
from jivsbench.model.scenario import OfferedSource, SourceKind
from jivsbench.model.summary import VerdictOutcome
from jivsbench.plugins import load_registry
from jivsbench.report.bundle import read_run
from tests.unit.analysis_records import build_arm_record, build_record

REGISTRY = load_registry()


def make_record(run_id="good", gate="job.response p95 < 500 ms"):
    """A run of this version, with one gate."""
    record = build_record(build_arm_record(), checks=())
    plan = replace(record.plan, scenario=replace(record.plan.scenario, gates=(parse_gate(gate),)))
    environment = replace(record.environment, jivsbench_version=__version__)
    return replace(record, run_id=run_id, plan=plan, environment=environment)


def write(reports_dir, run_id, gate, change=lambda record: record):
    """A run's folder."""
    return conclude(change(make_record(run_id, gate)), reports_dir / "runs" / run_id, REGISTRY)


def roomy(record):
    """The same with blocks long enough for its jobs."""
    arm = record.arms[0]
    blocks = tuple(replace(block, drained_ns=block.start_ns + 10**11) for block in arm.blocks)
    return replace(record, arms=(replace(arm, blocks=blocks),))


def test_a_run_that_passed_becomes_the_baseline(tmp_path):
    """Kept with its sum, who said so, and which one it took the place of."""
    write(tmp_path, "one", "job.response p95 < 500 ms", roomy)
    write(tmp_path, "two", "job.response p95 < 500 ms", roomy)

    promote(tmp_path, "one", REGISTRY, "ann")
    second = promote(tmp_path, "two", REGISTRY, "bob")

    assert (second.run_id, second.owner, second.replaces) == ("two", "bob", "one")
    assert [promotion.run_id for promotion in list_promotions(tmp_path)] == ["two"]
    assert find_baseline(tmp_path, "tiny") == tmp_path / "baselines" / "tiny"
    assert {path.name for path in (tmp_path / "baselines" / "tiny").iterdir()} == {"run.json", "promotion.json", "SHA256SUMS"}


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("job.response p95 < 5 ms", "is FAILED, and later runs must not be held against it"),
        ("job.response p95 < 5 ms warn", "accept its conditions with --accept-conditions"),
        ("job.response p95 reduction >= 3 %", "is FAILED"),
    ],
)
def test_a_run_in_doubt_is_not_promoted(tmp_path, gate, message):
    """FAILED never; CONDITIONAL when its conditions are accepted."""
    write(tmp_path, "bad", gate, roomy)

    with pytest.raises(UsageError, match=message):
        promote(tmp_path, "bad", REGISTRY, "ann")
    if "warn" in gate:
        assert promote(tmp_path, "bad", REGISTRY, "ann", accepts_conditions=True).conditions


@pytest.mark.parametrize("content", ["{", "[]", '{"conditions": ' + "[" * 200_000])
def test_a_promotion_that_was_changed_by_hand_is_named(tmp_path, content):
    """Cut off, of another kind, or lists within lists: one line, and what to do."""
    (tmp_path / "promotion.json").write_text(content)

    with pytest.raises(ConfigError, match=r"promotion\.json is not as jivsbench wrote it: promote a run again"):
        read_promotion(tmp_path)


def judge_with(reports_dir, gate, inputs):
    """A run that its own gate has failed or passed, judged and written again by another gate and with what was brought."""
    write(reports_dir, "one", "job.response p95 < 5 ms" if inputs.waivers else "job.response p95 < 500 ms", roomy)
    return render_again(reports_dir / "runs" / "one", REGISTRY, (parse_gate(gate),), inputs)


FAILING = ("tests.failed count <= 0", Inputs("2030-01-01", tests=SuiteResults(("j.xml",), 9, 1, 0)))
WAIVED = (
    "job.response p95 < 6 ms",
    Inputs("2030-01-01", waivers=(Waiver(WaiverTarget.GATE, "job.response p95 < 6 ms", "ann", "known", "2030-01-02"),)),
)


@pytest.mark.parametrize(
    ("brought", "outcome"), [(FAILING, VerdictOutcome.FAILED), (WAIVED, VerdictOutcome.CONDITIONAL)], ids=["tests", "waiver"]
)
def test_rendering_again_keeps_what_a_run_was_judged_by(tmp_path, brought, outcome):
    """Its gates, what was brought, its verdict: `report` writes the same run.json, to the byte."""
    before = judge_with(tmp_path, *brought)
    file = before.folder / "run.json"
    content = file.read_bytes()
    parent = root.make_context("jivsbench", [], resilient_parsing=True)

    result = CliRunner().invoke(report, ["one", "--reports-dir", str(tmp_path)], standalone_mode=False, parent=parent)

    assert result.return_value is ExitCode.PASSED
    assert read_run(before.folder).verdict.outcome is before.verdict.outcome is outcome
    assert file.read_bytes() == content


def test_a_run_is_promoted_by_the_verdict_that_was_written(tmp_path):
    """Failed tests that were brought are not forgotten, and neither is who answers for a gate."""
    judge_with(tmp_path / "failing", *FAILING)
    judge_with(tmp_path / "waived", *WAIVED)

    with pytest.raises(UsageError, match="the run one is FAILED"):
        promote(tmp_path / "failing", "one", REGISTRY, "ann")
    assert "waived by ann" in promote(tmp_path / "waived", "one", REGISTRY, "ann", accepts_conditions=True).conditions[0]


def test_a_run_that_contradicts_itself_is_not_promoted(tmp_path):
    """It is audited first: ten seconds of jobs in a block of one and a half, with ten users."""
    write(
        tmp_path,
        "busy",
        "job.response p95 < 500 ms",
        lambda record: replace(record, generator=replace(record.generator, users_reached_max=1, users_planned_max=1)),
    )

    with pytest.raises(UsageError, match="contradicts itself in"):
        promote(tmp_path, "busy", REGISTRY, "ann")


def test_a_baseline_that_was_changed_is_refused(tmp_path):
    """And so is one that nobody promoted."""
    write(tmp_path, "one", "job.response p95 < 500 ms", roomy)
    promote(tmp_path, "one", REGISTRY, "ann")
    path = tmp_path / "baselines" / "tiny" / "run.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))

    with pytest.raises(ConfigError, match="is not as it was promoted"):
        find_baseline(tmp_path, "tiny")
    with pytest.raises(UnknownNameError, match="did you mean 'tiny'"):
        find_baseline(tmp_path, "tini")
    assert find_baseline(tmp_path, "one") == tmp_path / "runs" / "one"


def test_a_run_that_was_changed_is_not_held_against(tmp_path):
    """By its id, its path or its file; what else lies in its folder was not read, and damaged sums hold nothing."""
    folder = write(tmp_path, "one", "job.response p95 < 500 ms", roomy).folder
    (folder / "report.md").write_text("changed")
    (folder / "copy.json").write_bytes((folder / "run.json").read_bytes())
    assert find_baseline(tmp_path, "one") == folder
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 2'))

    for name in ("one", str(folder), str(path)):
        with pytest.raises(ConfigError, match=r"is not as it was written .*: see what with 'jivsbench audit .*bring it back"):
            find_baseline(tmp_path, name)
    assert find_baseline(tmp_path, str(folder / "copy.json")) == folder / "copy.json"
    (folder / "SHA256SUMS").write_text("no sum\n")
    with pytest.raises(ConfigError, match="SHA256SUMS is damaged"):
        find_baseline(tmp_path, "one")


def test_a_relative_gate_against_a_baseline_has_no_interval(tmp_path):
    """What exists once is answered by its ratio; what needs an interval is INCONCLUSIVE, never green."""
    write(tmp_path, "one", "job.response p95 < 500 ms", roomy)
    gates = tuple(map(parse_gate, ("target.memory max growth <= 5 %", "job.response p95 reduction >= 30 %")))

    outcome = judge_again(tmp_path / "runs" / "one", gates, against=tmp_path / "runs" / "one")

    assert [result.outcome for result in outcome.verdict.gates] == [GateOutcome.MET, GateOutcome.INCONCLUSIVE]
    assert "one run after another" in outcome.verdict.gates[1].reason


def test_runs_of_other_workloads_or_machines_are_not_held_against_each_other():
    """The message names every difference."""
    before = make_record("before")
    after = replace(
        make_record("after"),
        plan=replace(before.plan, table_rows=7),
        environment=replace(before.environment, cpu_count=64),
    )

    with pytest.raises(UsageError, match="rows of the table: 1000 against 7; the number of CPUs was 2 and is 64"):
        list_sequential_effects((before, summarize(before)), (after, summarize(after)))


def hold(before, after):
    """One run against the other."""
    return list_sequential_effects((before, summarize(before)), (after, summarize(after)))


@pytest.mark.parametrize(
    ("environment", "plan", "message"),
    [
        ({}, {"source_label": "postgresql://other:5432/db"}, "source: sqlite file against postgresql://other:5432/db"),
        ({"source_server": "MariaDB 11.4"}, {}, "product of the source: sqlite against MariaDB"),
        ({"memory_bytes": 64 << 30}, {}, "the memory was 8,192 MiB and is 65,536 MiB"),
        ({"platform": "Linux 6.1.0 aarch64"}, {}, "the platform was Linux x86_64 and is Linux aarch64"),
        ({}, {"sources": (OfferedSource(SourceKind.FILES, "mix-files", "9 rows"),)}, "further sources: none against files"),
    ],
)
def test_another_source_or_machine_is_not_held_against(environment, plan, message):
    """Rows of another server, or of a machine with more memory, say nothing of what changed in the target."""
    before = make_record("before")
    before = replace(before, environment=replace(before.environment, platform="Linux 6.1.0 x86_64"))
    after = replace(before, environment=replace(before.environment, **environment), plan=replace(before.plan, **plan))

    with pytest.raises(UsageError, match=re.escape(message)):
        hold(before, after)


def test_an_update_and_a_few_percent_of_memory_make_no_other_machine():
    """Another release of kernel, server or Python may be what is asked about; memory is never quite the same."""
    before = make_record("before")
    before = replace(before, environment=replace(before.environment, platform="Linux 6.1.0 x86_64", source_server="sqlite 3.40"))
    own = before.environment
    after = replace(
        before,
        environment=replace(
            own,
            platform="Linux 6.8.0-rc1 x86_64",
            source_server="sqlite 3.45",
            python_version="3.13.1",
            memory_bytes=round(own.memory_bytes * 1.05),
        ),
    )

    assert hold(before, after)
    assert hold(after, before)


@pytest.mark.parametrize("name", ["../../escaped/deep", "..", ".", "/tmp/x", "", "a/b", "a" * 65])
def test_a_baseline_lies_nowhere_but_in_its_folder(tmp_path, name):
    """The name of the scenario comes from a file that anybody may have written."""
    reports_dir = tmp_path / "a" / "b" / "reports"

    def rename(record):
        return replace(roomy(record), plan=replace(record.plan, scenario=replace(record.plan.scenario, name=name)))

    write(reports_dir, "one", "job.response p95 < 500 ms", rename)
    there = set(tmp_path.rglob("*"))

    with pytest.raises(UsageError, match="a name has up to 63 letters"):
        promote(reports_dir, "one", REGISTRY, "ann")
    assert set(tmp_path.rglob("*")) == there


def test_a_baseline_with_damaged_sums_is_not_believed(tmp_path):
    """Of the file that a damaged line named nothing is known."""
    write(tmp_path, "one", "job.response p95 < 500 ms", roomy)
    promote(tmp_path, "one", REGISTRY, "ann")
    sums = tmp_path / "baselines" / "tiny" / "SHA256SUMS"
    promotion, run = sums.read_text().splitlines()
    sums.write_text(f"{promotion}\n{run[:-30]}")

    with pytest.raises(ConfigError, match=r"is not as it was promoted \(line 2 of SHA256SUMS\)"):
        find_baseline(tmp_path, "tiny")


def test_the_command_says_what_became_of_it(tmp_path):
    """Promoted, listed, and nothing yet."""
    parent = root.make_context("jivsbench", [], resilient_parsing=True)

    def call(*words):
        result = CliRunner().invoke(baseline, [*words, "--reports-dir", str(tmp_path)], standalone_mode=False, parent=parent)
        if result.exception is not None:
            raise result.exception
        return result.return_value, result.output

    assert "no scenario has a baseline" in call("list")[1]
    write(tmp_path, "one", "job.response p95 < 500 ms", roomy)
    assert call("promote", "one", "--owner", "ann") == (ExitCode.PASSED, "one is the baseline of tiny\n")
    assert call("list")[1].startswith("tiny: one (PASSED), by ann on ")
    assert '"run_id": "one"' in call("list", "--json")[1]


def test_a_run_is_found_by_its_path_wherever_it_lies(tmp_path, monkeypatch):
    """An absolute path and a relative one name a run, never a baseline that was changed."""
    write(tmp_path / "elsewhere", "one", "job.response p95 < 500 ms", roomy)
    folder = tmp_path / "elsewhere" / "runs" / "one"
    (folder / "SHA256SUMS").unlink()
    monkeypatch.chdir(tmp_path)

    assert find_baseline(tmp_path / "reports", str(folder)) == folder
    assert find_baseline(tmp_path / "reports", "elsewhere/runs/one").resolve() == folder
