"""The demo: two profiles in alternating blocks on embedded servers, checks, verdict, report - in a short form."""

from pathlib import Path

import psutil
import pytest
from bundles import find_bundle, read_ended_run
from command import run

from jivsbench.exitcodes import ExitCode

pytestmark = pytest.mark.alone


# Traced by coverage, row-by-row code is many times slower than code in batches, which is what is compared here.
@pytest.mark.no_cover
def test_the_demo_compares_checks_and_reports(tmp_path: Path) -> None:
    """Both arms are measured in paired blocks, both checks run, the verdict and the report's path end the output.

    The other checks are left out, so production waits: it is CONDITIONAL at best.
    """
    before = {process.pid for process in psutil.process_iter()}
    ended = run("demo", "--pairs", "6", "--block", "2", cwd=tmp_path, timeout_s=170)
    bundle = find_bundle(tmp_path)
    found = read_ended_run(ended, bundle, ExitCode.CONDITIONAL, ExitCode.GATE_FAILED, has_short_blocks=True)
    record = found["record"]

    assert [arm["profile"]["name"] for arm in record["arms"]] == ["legacy", "optimized"]
    assert [len(arm["blocks"]) for arm in record["arms"]] == [6, 6]
    outcomes = {check["check_id"]: check["outcome"] for check in record["checks"]}
    assert outcomes.items() >= {"SEC-001": "PASS", "SEC-003": "PASS"}.items()
    assert not {"FAIL", "INVALID"} & set(outcomes.values())
    said = (*found["verdict"]["conditions"], *found["verdict"]["reasons"])
    assert any("34 security checks were not run" in text for text in said)
    assert all(arm["totals"]["rows_read"] == arm["totals"]["rows_written"] for arm in record["arms"])
    assert all(arm["totals"]["failed"] == 0 for arm in record["arms"])
    effects = {(effect["metric"], effect["statistic"]): effect for effect in found["summary"]["effects"]}
    # In blocks this short few jobs end before the block does; how long they take is known all the same.
    assert effects["job.response", "mean"]["ratio"] < 1
    for word in ("throughput", "job p95", "cache hits", "peak memory", "verdict: ", str(bundle.name)):
        assert word in ended.stdout
    ours = ("jivsbench.service", "jivsbench.load.worker", "jivsbench-postgres-", "jivsbench-valkey-")
    # Whoever else runs this at the same time has parents; what this demo had left behind has none.
    orphans = [p for p in psutil.process_iter(["cmdline", "ppid"]) if p.pid not in before and p.info["ppid"] == 1]
    new = [" ".join(p.info["cmdline"] or []) for p in orphans]
    assert [line for line in new if any(word in line for word in ours)] == []
