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
