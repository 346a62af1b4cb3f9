"""`jivsbench sbom`: valid CycloneDX 1.6, with everything that is installed."""

import json
from importlib import metadata
from pathlib import Path

from click.testing import CliRunner
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from jivsbench.cli.root import root
from jivsbench.exitcodes import ExitCode
from jivsbench.testing.vulnerable.installed_files import install_distribution


def test_the_list_is_valid_and_whole() -> None:
    """The published schema takes it; each installed distribution is in it, what jivsbench needs is marked as required."""
    result = CliRunner().invoke(root, ["sbom"])

    assert result.exit_code == ExitCode.PASSED, result.output
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(result.output) is None
    bom = json.loads(result.output)
    components = {one["name"]: one for one in [*bom["components"], bom["metadata"]["component"]]}
    installed = {one.metadata["Name"].lower().replace("_", "-").replace(".", "-") for one in metadata.distributions()}
    assert installed - set(components) == set()
    assert (components["sqlalchemy"]["scope"], components["pytest-cov"]["scope"]) == ("required", "optional")
    assert any(one["ref"].startswith("jivsbench==") and one["dependsOn"] for one in bom["dependencies"])


def test_another_environment_is_listed_into_a_file(tmp_path: Path) -> None:
    """Only what lies in the folder that is named."""
    install_distribution(tmp_path, "acme", "1.0", {"acme.py": "A = 1\n"})
    file = tmp_path / "sbom.json"
    result = CliRunner().invoke(root, ["sbom", "--packages", str(tmp_path), "--output", str(file)])

    assert result.output == f"wrote {file}\n"
    assert [one["purl"] for one in json.loads(file.read_text())["components"]] == ["pkg:pypi/acme@1.0"]


def test_an_empty_folder_and_a_file_that_cannot_be_written_are_errors(tmp_path: Path) -> None:
    """A list of nothing would look like one of everything."""
    install_distribution(tmp_path, "acme", "1.0", {})
    (tmp_path / "empty").mkdir()

    empty = CliRunner().invoke(root, ["sbom", "--packages", str(tmp_path / "empty")])
    unwritable = CliRunner().invoke(root, ["sbom", "--packages", str(tmp_path), "--output", str(tmp_path / "no/sbom.json")])

    assert "no distribution is installed" in str(empty.exception)
    assert "cannot be written" in str(unwritable.exception)
