"""The workflows to copy: valid by their platforms' schemas, with commands that exist, and scripts that a shell can read."""

import re
import subprocess
from pathlib import Path

import check_jsonschema
import click
import pytest
import yaml
from click.testing import CliRunner

from jivsbench.builtin import jivsbench_register_reporters
from jivsbench.cli.root import root

ROOT = Path(__file__).parents[2]
GITHUB, GITLAB = ROOT / "docs" / "ci" / "github-actions.yml", ROOT / "docs" / "ci" / "gitlab-ci.yml"
ACTION = ROOT / ".github" / "actions" / "jivsbench" / "action.yml"
FILES = {"vendor.github-workflows": GITHUB, "vendor.github-actions": ACTION, "vendor.gitlab-ci": GITLAB}


def scripts(path: Path) -> list[str]:
    """Every shell script of a file."""
    document = yaml.safe_load(path.read_text())
    if path == GITLAB:
        return ["\n".join(document["performance"]["script"])]
    steps = document["runs"]["steps"] if path == ACTION else document["jobs"]["gate"]["steps"]
    return [step["run"] for step in steps if "run" in step]


@pytest.mark.no_cover
@pytest.mark.parametrize("schema", FILES)
def test_a_workflow_is_valid_by_its_platforms_schema(schema, tmp_path):
    """As the platform publishes it; a misspelled key is caught."""
    broken = tmp_path / "broken.yml"
    broken.write_text(FILES[schema].read_text().replace("script:", "scrpt:").replace("steps:", "stps:"))
    runner = CliRunner()
    kept, refused = (
        runner.invoke(check_jsonschema.main, ["--builtin-schema", schema, str(path)]) for path in (FILES[schema], broken)
    )

    assert kept.exit_code == 0, kept.output
    assert "Schema validation errors were encountered" in refused.output


@pytest.mark.parametrize("path", FILES.values(), ids=lambda path: path.name)
def test_a_script_can_be_read_by_a_shell_and_calls_what_exists(path):
    """`bash -n`, then every `jivsbench` call against the command line: command and options."""
    calls = 0
    for script in scripts(path):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=20)
        for line in script.splitlines():
            for words in re.findall(r"\bjivsbench ((?:run|gate) [^|;]*)", line):
                name, *rest = words.split()
                command = root.get_command(click.Context(root), name)
                known = {option for parameter in command.params for option in parameter.opts}
                assert {word for word in rest if word.startswith("--")} <= known, words
                calls += 1

    assert calls == (0 if path == GITHUB else 2)


@pytest.mark.parametrize("path", [ACTION, GITLAB], ids=lambda path: path.name)
@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("leaves_run", [True, False])
def test_a_build_is_never_judged_by_the_run_of_another(path, leaves_run, is_kept, tmp_path):
    """A kept folder holds a run. One that fails before it has its own must not be taken for it, whatever its status."""
    if is_kept:
        (tmp_path / "reports" / "runs" / "20260101T000000Z-kept").mkdir(parents=True)
    own = "20260102T000000Z-own"
    makes = (
        f"mkdir -p reports/runs/{own}; touch reports/runs/{own}/summary.md reports/runs/{own}/annotations.txt"
        if leaves_run
        else ":"
    )
    stand_in = tmp_path / "jivsbench"
    stand_in.write_text(f'#!/bin/sh\necho "$1 $2" >> calls\n[ "$1" = gate ] || {{ {makes}; exit 1; }}\n')
    stand_in.chmod(0o755)
    (tmp_path / "python").symlink_to("/bin/true")
    outputs = tmp_path / "outputs"
    surroundings = {"SCENARIO": "baseline", "RUN_OPTIONS": "", "GATE_OPTIONS": "", "REPORTS_DIR": "reports"}
    surroundings |= {
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "FAIL_ON_CONDITIONAL": "false",
    }
    surroundings |= {"PATH": f"{tmp_path}:/usr/bin:/bin", "FOLDER": f"reports/runs/{own}"}

    statuses = []
    for script in scripts(path):
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=surroundings, check=False, timeout=20)
        statuses.append(done.returncode)
        if done.returncode:
            break

    calls = (tmp_path / "calls").read_text().splitlines()
    assert statuses[-1] == (0 if leaves_run else 5)
    assert [call.split()[1] for call in calls if call.startswith("gate")] == ([f"reports/runs/{own}"] if leaves_run else [])
    if leaves_run and path == ACTION:
        assert f"folder=reports/runs/{own}\n" in outputs.read_text()


def test_inputs_reach_a_shell_as_variables_alone():
    """An expression within a script would let a branch name run as code."""
    assert not [script for path in (GITHUB, ACTION) for script in scripts(path) if "${{" in script]


def test_the_workflow_gives_the_action_what_it_takes():
    """Inputs and outputs have the action's names."""
    action, workflow = yaml.safe_load(ACTION.read_text()), yaml.safe_load(GITHUB.read_text())
    (step,) = [step for step in workflow["jobs"]["gate"]["steps"] if "actions/jivsbench" in step.get("uses", "")]

    assert set(step["with"]) <= set(action["inputs"])
    assert set(re.findall(r"steps\.jivsbench\.outputs\.(\w+)", GITHUB.read_text())) <= set(action["outputs"])


def test_the_page_names_every_file_of_a_run():
    """docs/ci.md and docs/reports.md list what the reporters write."""
    for reporter in jivsbench_register_reporters():
        assert any(f"`{reporter.filename}`" in (ROOT / "docs" / page).read_text() for page in ("ci.md", "reports.md"))
