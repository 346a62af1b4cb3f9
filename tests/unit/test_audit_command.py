"""`audit` as a user calls it: a run on disk with its evidence, exit codes, JSON."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import TypeAdapter

from jivsbench import __version__
from jivsbench.app.checks import score_results
from jivsbench.app.conclusion import conclude, render_again
from jivsbench.cli.audit import audit
from jivsbench.cli.root import root
from jivsbench.errors import ConfigError
from jivsbench.exitcodes import ExitCode
from jivsbench.load.intervals import format_interval
from jivsbench.load.monitor import MonitorLine
from jivsbench.model.finding import CheckOutcome, Severity
from jivsbench.plugins import load_registry
from jivsbench.report.bundle import read_record, read_run, write_plan
from jivsbench.report.manifest import MANIFEST_FILENAME, find_changes, read_manifest
from jivsbench.report.run_file import dump_run
from tests.property.test_audit_properties import GATES, build_bundle
from tests.unit.analysis_records import build_check, build_comparison

FILES = Path(__file__).parent / "result_files"


@pytest.fixture
def bundle(tmp_path):
    """A whole run's folder, as `run` leaves it."""
    folder = tmp_path / "runs" / "made-up"
    record, _summary, _verdict, intervals, looks = build_bundle(7)
    folder.mkdir(parents=True)
    write_plan(folder, record.plan)
    (folder / "intervals.jsonl").write_bytes(b"".join(map(format_interval, intervals)))
    adapter = TypeAdapter(MonitorLine)
    (folder / "monitor.jsonl").write_bytes(b"".join(adapter.dump_json(MonitorLine(*look)) + b"\n" for look in looks))
    record = replace(record, environment=replace(record.environment, jivsbench_version=__version__))
    record = replace(record, score=score_results(record.checks))
    conclude(record, folder, load_registry(), GATES)
    return folder


def call(*words) -> tuple[int, str]:
    """Exit code and output of one call."""
    result = CliRunner().invoke(
        audit,
        [str(word) for word in words],
        standalone_mode=False,
        parent=root.make_context("jivsbench", [], resilient_parsing=True),
    )
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


def test_a_run_is_consistent_with_its_evidence(bundle):
    """Every rule that a run can have is tried, and the sums are those of `sha256sum`."""
    status, output = call(bundle, "--json")
    found = json.loads(output)
    tried = {rule["rule"] for rule in found["rules"] if rule["relations"]}

    assert (status, found["outcome"], found["contradictions"]) == (ExitCode.PASSED, "CONSISTENT", [])
    assert {"rate", "parts", "error-ratio", "met", "little", "percent", "provenance", "sums", "recomputed", "manifest"} <= tried
    assert len(read_manifest(bundle).hashes) == 12


@pytest.mark.parametrize(
    "name", ["run.json", "plan.json", "intervals.jsonl", "monitor.jsonl", "report.html", "junit.xml", "summary.md"]
)
def test_one_changed_byte_of_any_file_is_found(bundle, name):
    """A digit that became another one."""
    content = (bundle / name).read_bytes()
    place = next(i for i in range(len(content) - 1, 0, -1) if content[i : i + 1].isdigit())
    (bundle / name).write_bytes(content[:place] + (b"1" if content[place : place + 1] != b"1" else b"2") + content[place + 1 :])

    assert set(find_changes(bundle, read_manifest(bundle).hashes)) == {name}
    status, output = call(bundle)
    assert status == ExitCode.GATE_FAILED
    assert f"CONTRADICTION (manifest) {name}: has SHA-256" in output


def test_a_file_that_is_gone_is_found(bundle):
    """What the manifest names must be there."""
    (bundle / "intervals.jsonl").unlink()

    status, output = call(bundle)

    assert status == ExitCode.GATE_FAILED
    assert "intervals.jsonl: is missing" in output


def test_new_sums_do_not_hide_a_changed_sample(bundle):
    """Whoever writes the sums anew still has the histograms against him."""
    lines = (bundle / "intervals.jsonl").read_text().splitlines(keepends=True)
    (bundle / "intervals.jsonl").write_text("".join(lines[:-1]))
    (bundle / MANIFEST_FILENAME).unlink()

    status, output = call(bundle)

    assert status == ExitCode.GATE_FAILED
    assert "CONTRADICTION (recomputed) arm optimized, operations" in output


@pytest.mark.parametrize(
    "forge",
    [
        lambda score: replace(score, score=99.0, uncapped=99.0),
        lambda score: replace(score, letter="A+"),
        lambda score: replace(score, cap=None, capped_by=None),
        lambda score: replace(score, not_run=0),
        lambda score: replace(score, shares=()),
        lambda _score: None,
    ],
    ids=["number", "letter", "cap", "not run", "sum", "none at all"],
)
def test_a_forged_score_is_found(bundle, forge):
    """Even with verdict, reports and sums made anew to fit: the outcomes and findings are still against it."""
    record = read_record(bundle)
    failed = build_check("SEC-005", Severity.CRITICAL, CheckOutcome.FAIL, [Severity.CRITICAL])
    checks = (*record.checks, build_check("SEC-001"), failed)
    honest = replace(record, checks=checks, score=score_results(checks))
    conclude(honest, bundle, load_registry(), GATES)
    assert call(bundle)[0] == ExitCode.PASSED
    (bundle / MANIFEST_FILENAME).unlink()
    conclude(replace(honest, score=forge(honest.score)), bundle, load_registry(), GATES)

    status, output = call(bundle)
    assert status == ExitCode.GATE_FAILED
    assert "CONTRADICTION (recomputed) security score" in output


def forge_arm(bundle, **changed):
    """The run with its only arm changed, and verdict, reports and sums made anew to fit."""
    record = read_record(bundle)
    (bundle / MANIFEST_FILENAME).unlink()
    conclude(replace(record, arms=(replace(record.arms[0], **changed),)), bundle, load_registry(), GATES)


@pytest.mark.parametrize(
    "forge",
    [
        lambda jobs: replace(jobs, created=jobs.created + 1000, completed=jobs.completed + 1000),
        lambda jobs: replace(jobs, completed=jobs.completed + jobs.failed, failed=0),
        lambda jobs: replace(jobs, failed=0, timed_out=jobs.failed),
        lambda jobs: replace(jobs, rows_read=jobs.rows_read + 1, rows_written=jobs.rows_written + 1),
        lambda jobs: replace(jobs, created=jobs.created - 1),
    ],
    ids=["more", "none failed", "another end", "rows", "fewer"],
)
def test_forged_job_counts_are_found(bundle, forge):
    """Ten times as many jobs make a tenth of the error ratio: the intervals have counted each of them."""
    forge_arm(bundle, totals=forge(read_record(bundle).arms[0].totals))

    status, output = call(bundle)
    assert status == ExitCode.GATE_FAILED
    assert "CONTRADICTION (recomputed) arm optimized, jobs" in output


@pytest.mark.parametrize("kept", [lambda rows: rows[1:], lambda rows: rows[-1:], lambda rows: rows[1:-1]])
def test_looks_of_the_monitor_that_were_left_out_are_found(bundle, kept):
    """From the front, where the greatest memory may have been, as well as from the end."""
    forge_arm(bundle, monitor=kept(read_record(bundle).arms[0].monitor))

    status, output = call(bundle)
    assert status == ExitCode.GATE_FAILED
    assert "CONTRADICTION (recomputed) arm optimized, " in output
    assert "monitor" in output


def test_a_run_without_any_look_of_its_monitor_is_found(bundle):
    """The file has looks that came after the load began, however much earlier the monitor's clock started."""
    looks = [MonitorLine("optimized", replace(read_record(bundle).arms[0].monitor[0], second=float(at_s))) for at_s in range(200)]
    (bundle / "monitor.jsonl").write_bytes(b"".join(TypeAdapter(MonitorLine).dump_json(look) + b"\n" for look in looks))
    forge_arm(bundle, monitor=())

    status, output = call(bundle)
    assert status == ExitCode.GATE_FAILED
    assert "arm optimized, looks of the monitor since the load began: it is 0, computed is " in output


def test_a_line_that_is_no_interval_is_a_contradiction(bundle):
    """It ends no other step: what the sums and the reports say is told as well."""
    (bundle / "intervals.jsonl").write_text("{}\n")
    (bundle / "monitor.jsonl").write_text("{}\n")

    status, output = call(bundle, "--all")
    assert status == ExitCode.GATE_FAILED
    assert "CONTRADICTION (manifest) intervals.jsonl: has SHA-256" in output
    assert "CONTRADICTION (recomputed) intervals.jsonl: cannot be computed again: " in output
    assert "CONTRADICTION (recomputed) monitor.jsonl: cannot be computed again: " in output
    assert "holds (recomputed) report.html" in output


def test_a_report_that_cannot_be_rendered_is_a_contradiction(bundle):
    """A stated ratio of 0 has no place on a logarithmic scale."""
    record = build_comparison(6)
    record = replace(record, environment=replace(record.environment, jivsbench_version=__version__))
    (bundle / MANIFEST_FILENAME).unlink()
    conclude(record, bundle, load_registry())
    run = read_run(bundle)
    effects = tuple(replace(effect, ratio=0.0) for effect in run.summary.effects)
    (bundle / "run.json").write_bytes(dump_run(record, replace(run.summary, effects=effects), run.verdict))

    status, output = call(bundle)
    assert status == ExitCode.GATE_FAILED
    assert "CONTRADICTION (recomputed) report.html: cannot be computed again: " in output
    assert "CONTRADICTION (recomputed) effect job.response mean" in output


def test_a_check_that_passed_without_an_attack_is_found(bundle):
    """Nothing was sent, so nothing was blocked."""
    record = read_record(bundle)
    checks = (replace(build_check("SEC-001"), attempted=0, reached=0),)
    (bundle / MANIFEST_FILENAME).unlink()
    conclude(replace(record, checks=checks, score=score_results(checks)), bundle, load_registry(), GATES)

    status, output = call(bundle)
    assert status == ExitCode.GATE_FAILED
    assert "CONTRADICTION (recomputed) check SEC-001 PASS: none of 0 attacks reached the target" in output


def test_rendering_again_keeps_the_first_sums_and_refuses_a_changed_run(bundle):
    """The evidence keeps its sum; a run.json that was changed is not written over."""
    before = read_manifest(bundle)
    (bundle / "intervals.jsonl").write_text("")
    render_again(bundle, load_registry())
    after = read_manifest(bundle)
    (bundle / "run.json").write_text((bundle / "run.json").read_text().replace('"seed": 1', '"seed": 2', 1))

    assert after.hashes["intervals.jsonl"] == before.hashes["intervals.jsonl"]
    with pytest.raises(ConfigError, match="is not as it was written"):
        render_again(bundle, load_registry())


def test_a_run_of_another_version_is_not_computed_again(bundle):
    """Its figures may follow from other rules; its sums and the twelve rules are tried all the same."""
    content = (bundle / "run.json").read_text().replace(f'"jivsbench_version": "{__version__}"', '"jivsbench_version": "0.0.1"')
    (bundle / "run.json").write_text(content)
    (bundle / MANIFEST_FILENAME).unlink()

    status, output = call(bundle)

    assert status == ExitCode.PASSED
    assert "not stated" in output.splitlines()[-3]
    assert "recomputed" in output.splitlines()[-3]


def test_two_runs_are_compared_by_their_workload(bundle):
    """A run against itself agrees."""
    status, output = call(bundle, "--against", bundle, "--all")

    assert status == ExitCode.PASSED
    assert "holds (workload)" in output


def test_results_that_share_no_setting_are_not_called_the_same(bundle, tmp_path):
    """Nothing was compared, so nothing agrees: said, with an exit code that stops a pipeline."""
    status, output = call(bundle, "--against", FILES / "k6_handle_summary.json")
    told = json.loads(call(bundle, "--against", FILES / "k6_handle_summary.json", "--json")[1])
    (tmp_path / "empty.json").write_text('{"metrics": {}}')

    assert status == ExitCode.INVALID
    assert "whether it was the same is not known" in output
    assert "audit:   NOTHING_SHARED" in output
    assert told["outcome"] == "NOTHING_SHARED"
    assert call(FILES / "k6_handle_summary.json", "--against", tmp_path / "empty.json")[0] == ExitCode.INVALID
    assert call(FILES / "k6_handle_summary.json", "--against", FILES / "k6_summary_export.json")[0] == ExitCode.PASSED


def test_json_holds_every_relation(bundle):
    """Those that hold as well: a program counts and shows what it likes."""
    found = json.loads(call(bundle, "--json")[1])

    assert len(found["relations"]) == sum(rule["relations"] for rule in found["rules"]) > 0
    assert all(relation["holds"] for relation in found["relations"])


@pytest.mark.parametrize("damage", [b"garbage", b"\xff\xfe", b"0123  report.html", b""])
def test_a_damaged_line_of_the_sums_is_a_contradiction(bundle, damage):
    """The file that it named can no longer be verified, so the others alone prove too little; nothing is written over it."""
    sums = bundle / MANIFEST_FILENAME
    first, *rest = sums.read_bytes().splitlines()
    sums.write_bytes(b"\n".join([damage, *rest]) + b"\n")

    status, output = call(bundle)

    assert first
    assert status == ExitCode.GATE_FAILED
    assert "CONTRADICTION (manifest) line 1 of SHA256SUMS: names no file with its SHA-256" in output
    with pytest.raises(ConfigError, match="line 1 of SHA256SUMS names no file"):
        render_again(bundle, load_registry())


def test_sums_that_cannot_be_read_are_one_error(bundle):
    """A folder in their place, and a name that no file can have."""
    sums = bundle / MANIFEST_FILENAME
    sums.write_text(f"{'0' * 64}  {'a' * 300}\n")
    assert "cannot be read (File name too long)" in call(bundle)[1]
    sums.unlink()
    sums.mkdir()

    with pytest.raises(ConfigError, match="SHA256SUMS cannot be read"):
        call(bundle)


def test_exit_codes_of_other_files(tmp_path):
    """Consistent 0, contradicted 1, nothing stated 4."""
    broken = (FILES / "k6_handle_summary.json").read_text().replace('"rate": 9.958374}', '"rate": 99.9}')
    (tmp_path / "broken.json").write_text(broken)
    (tmp_path / "empty.json").write_text('{"metrics": {}}')

    assert call(FILES / "k6_handle_summary.json")[0] == ExitCode.PASSED
    assert call(tmp_path / "broken.json")[0] == ExitCode.GATE_FAILED
    status, output = call(tmp_path / "empty.json")
    assert (status, output.splitlines()[-1]) == (ExitCode.INVALID, "audit:   NOTHING_STATED, 0 of 0 relations contradict")


def test_the_page_lists_every_rule_and_figure():
    """docs/audit.md is whole."""
    from jivsbench.model.claims import Quantity, Rule

    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()

    assert all(f"| `{rule}` |" in page for rule in Rule)
    assert all(f"`{quantity}`" in page for quantity in Quantity)
