"""`jivsbench sbom`: valid CycloneDX 1.6, with everything that is installed."""

import hashlib
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


def list_components(folder: Path) -> tuple[dict[str, dict], dict[str, list[str]]]:
    """Components by name, and what each needs, of a folder of packages."""
    result = CliRunner().invoke(root, ["sbom", "--packages", str(folder)])
    assert result.exit_code == ExitCode.PASSED, result.output
    bom = json.loads(result.output)
    return {one["name"]: one for one in bom["components"]}, {one["ref"]: one.get("dependsOn", []) for one in bom["dependencies"]}


def test_the_digest_is_of_the_bytes_that_lie_there(tmp_path: Path) -> None:
    """Line ends as the installer wrote them."""
    install_distribution(tmp_path, "acme", "1.0", {"acme.py": "A = 1\n"})
    record = tmp_path / "acme-1.0.dist-info" / "RECORD"
    record.write_bytes(record.read_bytes().replace(b"\n", b"\r\n"))
    (found,) = list_components(tmp_path)[0].values()

    assert found["properties"] == [{"name": "jivsbench:record-sha256", "value": hashlib.sha256(record.read_bytes()).hexdigest()}]


def test_names_and_extras_are_followed(tmp_path: Path) -> None:
    """A name is one however it is spelled; what an extra brings is needed where somebody asks for that extra, and only there."""
    for name in ("Acme.Host", "acme-lib", "acme-fast", "acme-slow"):
        install_distribution(tmp_path, name, "1.0", {})
    for name, lines in {
        "Acme.Host": "Requires-Dist: ACME_lib[Fast_Path]\n",
        "acme_lib": "Provides-Extra: fast-path\nProvides-Extra: slow\n"
        'Requires-Dist: acme.fast; extra == "fast-path"\nRequires-Dist: acme_slow; extra == "slow"\n',
    }.items():
        with (tmp_path / f"{name}-1.0.dist-info" / "METADATA").open("a") as stream:
            stream.write(lines)
    (tmp_path / "Acme.Host-1.0.dist-info" / "entry_points.txt").write_text("[jivsbench]\nacme = acme\n")
    components, needs = list_components(tmp_path)

    assert {name: one["scope"] for name, one in components.items()} == {
        "acme-host": "required", "acme-lib": "required", "acme-fast": "required", "acme-slow": "optional",
    }  # fmt: skip
    assert needs["acme-host==1.0"] == ["acme-lib==1.0"]
    assert needs["acme-lib==1.0"] == ["acme-fast==1.0"]


def test_an_empty_folder_and_a_file_that_cannot_be_written_are_errors(tmp_path: Path) -> None:
    """A list of nothing would look like one of everything."""
    install_distribution(tmp_path, "acme", "1.0", {})
    (tmp_path / "empty").mkdir()

    empty = CliRunner().invoke(root, ["sbom", "--packages", str(tmp_path / "empty")])
    unwritable = CliRunner().invoke(root, ["sbom", "--packages", str(tmp_path), "--output", str(tmp_path / "no/sbom.json")])

    assert "no distribution is installed" in str(empty.exception)
    assert "cannot be written" in str(unwritable.exception)
