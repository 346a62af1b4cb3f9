"""SEC-032: what differs from what was installed or locked is found."""

from pathlib import Path

import pytest

from jivsbench.testing.vulnerable.installed_files import install_distribution, plant_sound, plant_tampered
from jivsbench_security.supply_chain.distributions import (
    find_mismatches,
    find_needed,
    find_strays,
    list_distributions,
    list_start_hooks,
    read_record,
)
from jivsbench_security.supply_chain.lock_files import Pin, read_lock

FILES = {"acme/__init__.py": "A = 1\n", "acme/rules.py": "B = 2\n"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with one sound distribution."""
    install_distribution(tmp_path, "acme", "1.0", FILES)
    return tmp_path


def judge(site: Path) -> tuple[list[str], list[str]]:
    """Names of files that differ, and of those that nobody brought."""
    files = [file for one in list_distributions([site]) for file in read_record(one)]
    return [one.file.name for one in find_mismatches(files)], [Path(path).name for path in find_strays(files)]


def test_what_was_not_touched_matches(site: Path) -> None:
    """Two files and the description; compiled files are nobody's business."""
    (site / "acme/__pycache__").mkdir()
    (site / "acme/__pycache__/rules.cpython-311.pyc").write_bytes(b"x")

    assert judge(site) == ([], [])


def test_a_changed_file_is_found(site: Path) -> None:
    """One bit is enough."""
    (site / "acme/rules.py").write_text("B = 3\n")

    assert judge(site) == (["acme/rules.py"], [])


def test_a_missing_file_is_found(site: Path) -> None:
    """It is recorded and not there."""
    (site / "acme/rules.py").unlink()

    assert judge(site) == (["acme/rules.py"], [])


@pytest.mark.parametrize("name", ["acme/more.py", "acme/fast.so", "start.pth", "sitecustomize.py"])
def test_code_that_nobody_brought_is_found(site: Path, name: str) -> None:
    """In a package, and where Python runs it at every start."""
    (site / name).write_text("")

    assert judge(site) == ([], [Path(name).name])


def test_a_digest_by_which_files_can_be_exchanged_is_none(site: Path) -> None:
    """MD5 proves nothing."""
    record = site / "acme-1.0.dist-info/RECORD"
    record.write_text(record.read_text().replace("sha256=", "md5=", 1))

    assert judge(site)[0] == ["acme/__init__.py"]


def test_the_start_hook_of_another_distribution_is_its_own(site: Path) -> None:
    """Coverage brings one, for instance."""
    install_distribution(site, "hooks", "1.0", {"hooks.pth": "import hooks\n"})
    hooks = next(one for one in list_distributions([site]) if one.name == "hooks")

    assert list_start_hooks([hooks]) == {str(site / "hooks.pth")}


def test_only_what_the_host_needs_is_needed(site: Path) -> None:
    """By entry points and requirements, extras and markers included; without a host, everything."""
    assert [one.name for one in find_needed(list_distributions([site]))] == ["acme"]
    install_distribution(site, "jivsbench-x", "1", {})
    install_distribution(site, "base", "1", {})
    install_distribution(site, "extra", "1", {})
    folder = site / "jivsbench_x-1.dist-info"
    (folder / "entry_points.txt").write_text("[jivsbench]\nx = x\n")
    wanted = "Requires-Dist: base[more]\nRequires-Dist: acme; python_version < '3'\n"
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: jivsbench-x\nVersion: 1\n{wanted}")
    (site / "base-1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: base\nVersion: 1\nProvides-Extra: more\nRequires-Dist: Extra; extra == 'more'\n"
    )

    assert [one.name for one in find_needed(list_distributions([site]))] == ["base", "extra", "jivsbench-x"]


def test_a_lock_of_uv_pins_with_hashes_only(tmp_path: Path) -> None:
    """Registry with hashes: fine; own parts: said; git, URL, no hash: a problem."""
    lock = tmp_path / "uv.lock"
    lock.write_text(
        '[[package]]\nname = "Own_Part"\nversion = "1"\nsource = { editable = "." }\n'
        '[[package]]\nname = "a"\nversion = "1"\nsource = { registry = "r" }\nsdist = { hash = "sha256:00" }\n'
        '[[package]]\nname = "b"\nversion = "1"\nsource = { registry = "r" }\nwheels = [{ url = "x" }]\n'
        '[[package]]\nname = "c"\nversion = "1"\nsource = { git = "g" }\n'
        '[[package]]\nname = "d"\nversion = "1"\nsource = { url = "u" }\n'
        '[[package]]\nname = "e"\nversion = "1"\nsource = { registry = "r" }\n'
    )
    pins = read_lock(lock)

    assert pins[0] == Pin("own-part", "1", is_own=True)
    assert [pin.name for pin in pins if pin.problem] == ["b", "c", "d", "e"]


def test_a_list_of_requirements_pins_with_hashes_only(tmp_path: Path) -> None:
    """Comments and options are none; ranges, URLs and bare pins are problems."""
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        "# made by hand\n--require-hashes\nA_b==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11  # why\n"
        "c[x]==2 ; python_version > '3'\nd>=1\ne @ https://example.org/e.whl\ngit+https://example.org/f\n-e .\n"
    )

    assert [(pin.name, pin.problem) for pin in read_lock(lock)] == [
        ("a-b", None),
        ("c", "has no SHA-256"),
        ("d>=1", "is not pinned to one version"),
        ("e", "comes from a URL or a repository"),
        ("git+https://example.org/f", "comes from a URL or a repository"),
        ("-e", "is not pinned to one version"),
    ]


def test_the_planted_installations_are_what_they_say(tmp_path: Path) -> None:
    """The one passes each judgement, the other none."""
    (tmp_path / "sound").mkdir()
    (tmp_path / "tampered").mkdir()
    sound, tampered = plant_sound(tmp_path / "sound"), plant_tampered(tmp_path / "tampered")

    assert judge(sound.packages[0]) == ([], [])
    assert judge(tampered.packages[0]) == (["acme_rows/rules.py"], ["acme_start.pth"])
    assert [pin.problem for pin in read_lock(sound.locks[0])] == [None]
    assert [pin.problem for pin in read_lock(tampered.locks[0])] != [None]
