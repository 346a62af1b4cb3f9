"""SEC-032: what differs from what was installed or locked is found."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from jivsbench.api import Installation
from jivsbench.testing.vulnerable.installed_files import (
    PINNED,
    install_distribution,
    lock_distribution,
    plant_sound,
    plant_tampered,
)
from jivsbench_security.supply_chain.distributions import (
    find_mismatches,
    find_needed,
    find_strays,
    list_distributions,
    read_record,
)
from jivsbench_security.supply_chain.installed_files import InstalledFilesCheck
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


def look(site: Path, lock: Path):
    """What the fast form of the check says of the folder and a lock."""
    folders = SimpleNamespace(installation=Installation(packages=(site,), locks=(lock,)), is_full=False, make_folder=lambda: site)
    return InstalledFilesCheck()._inspect(folders)


def inspect(site: Path) -> list[tuple[str, str]]:
    """Title and place of each finding, with a lock that pins one and the same."""
    lock = lock_distribution(site, "acme", "1.0")
    with lock.open("a") as text:
        text.write(f'[[package]]\nname = "large"\nversion = "1.0"\n{PINNED}')
    return [(one.title, one.reproducer) for one in look(site, lock).findings]


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


def test_what_shares_a_namespace_is_no_stray(site: Path) -> None:
    """Two distributions in one package; what neither of them brought is found."""
    install_distribution(site, "acme-more", "1.0", {"acme/more/__init__.py": ""})
    own, others = (read_record(one) for one in list_distributions([site]))

    assert find_strays(own, others) == ()
    (site / "acme/more/evil.py").write_text("")
    assert find_strays(own, others) == (str(site / "acme/more/evil.py"),)


@pytest.mark.parametrize("name", ["single.so", "single.cpython-311-x86_64-linux-gnu.so", "acme.py", "acme/rules.pyc"])
def test_code_that_is_imported_in_place_of_another_is_found(site: Path, name: str) -> None:
    """A library beside a module of one file, and what is compiled already where its source would be."""
    install_distribution(site, "single", "1.0", {"single.py": "A = 1\n"})
    (site / name).write_bytes(b"x")
    (site / "nobody.py").write_text("")

    assert judge(site) == ([], [Path(name).name])


def test_code_without_a_digest_is_not_believed(site: Path) -> None:
    """Whoever changes a file can take its digest out of the RECORD."""
    record = site / "acme-1.0.dist-info/RECORD"
    record.write_text(re.sub(r"(?m)^acme/rules.py,.*$", "acme/rules.py,,", record.read_text()))

    assert inspect(site) == [("an installed file is not the one that was installed", "acme/rules.py")]


def test_a_large_file_of_another_size_is_found_in_the_fast_form(site: Path) -> None:
    """Its digest is left to the full form, its size is not."""
    install_distribution(site, "large", "1.0", {"large.so": "x" * 300_000})
    assert inspect(site) == []
    (site / "large.so").write_text("y" * 300_001)

    assert inspect(site) == [("an installed file is not the one that was installed", "large.so")]


def test_paths_from_the_root_and_names_with_odd_letters_are_read(site: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A RECORD may name a file elsewhere by its whole path, and a file may have a line's end of Unicode in its name."""
    outside = tmp_path_factory.mktemp("elsewhere") / "tool"
    outside.write_text("")
    (site / "acme/a\u2028b.py").write_text("")
    digest = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    with (site / "acme-1.0.dist-info/RECORD").open("a", encoding="utf-8") as record:
        record.write(f"{outside},{digest},0\nacme/a\u2028b.py,{digest},0\n")

    assert judge(site) == ([], [])


def test_what_older_installers_left_is_listed(tmp_path: Path) -> None:
    """As a file and as a folder; one without a description has its name from its folder, and one that is there twice is twice."""
    (tmp_path / "Old_One-1.egg-info").write_text("Metadata-Version: 1.0\nName: Old.One\nVersion: 1\n")
    (tmp_path / "older-2-py3.11.egg-info").mkdir()
    (tmp_path / "older-2-py3.11.egg-info/PKG-INFO").write_text("Metadata-Version: 1.0\nName: older\nVersion: 2\n")
    (tmp_path / "bare-3.dist-info").mkdir()
    install_distribution(tmp_path, "twice", "1", {})
    install_distribution(tmp_path, "twice", "2", {})
    (tmp_path / "twice-2.dist-info/direct_url.json").write_text("[]")
    found = [(one.name, one.version) for one in list_distributions([tmp_path])]

    assert found == [("bare", "3"), ("old-one", "1"), ("older", "2"), ("twice", "1"), ("twice", "2")]


def test_a_requirement_in_an_old_spelling_is_needed_all_the_same(site: Path) -> None:
    """What cannot be parsed is not passed over: its files would not be looked at."""
    install_distribution(site, "jivsbench-x", "1", {})
    folder = site / "jivsbench_x-1.dist-info"
    (folder / "entry_points.txt").write_text("[jivsbench]\nx = x\n")
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: jivsbench-x\nVersion: 1\nRequires-Dist: Acme (>dev)\n")

    assert [one.name for one in find_needed(list_distributions([site]))] == ["acme", "jivsbench-x"]


def test_a_lock_that_pins_nothing_or_cannot_be_read_is_no_proof(site: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An empty one, and one that is no TOML: the check does not pass, and does not crash."""
    lock = tmp_path_factory.mktemp("locks") / "uv.lock"
    for text, reason in (
        ("version = 1\n", "uv.lock names no requirement"),
        ("[", "a lock beside cannot be read (TOMLDecodeError)"),
        (f"version = {'[' * 5_000}", "a lock beside cannot be read (RecursionError)"),
    ):
        lock.write_text(text)
        seen = look(site, lock)
        assert (seen.findings, seen.untested) == (
            (),
            f"files match their RECORDs; {reason}",
        )


def test_a_version_in_another_spelling_is_the_locked_one(site: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """1.0 is 1.0.0; 1.1 is not."""
    folder = tmp_path_factory.mktemp("locks")

    assert look(site, lock_distribution(folder, "acme", "1.0.0")).findings == ()
    assert [one.title for one in look(site, lock_distribution(folder, "acme", "1.1")).findings] == [
        "what is installed is not what is locked"
    ]


def test_no_secret_of_a_lock_is_told(tmp_path: Path) -> None:
    """A token in a URL, in both kinds of lock."""
    (tmp_path / "uv.lock").write_text(
        '[[package]]\nname = "a"\nversion = "1"\nsource = { git = "https://t0ken@h/a?token=t0ken#1" }\n'
        '[[package]]\nname = "b"\nversion = "1"\nsource = { url = "https://u:t0ken@h/b.whl" }\n'
    )
    (tmp_path / "requirements.txt").write_text("git+https://t0ken@h/c\n-r more.txt\n--extra-index-url https://u:t0ken@h/\n")
    (tmp_path / "more.txt").write_text("-r requirements.txt\nd==1.* --hash=sha256:00\ne==1 --hash=sha512:00\n")
    pins = [pin for name in ("uv.lock", "requirements.txt") for pin in read_lock(tmp_path / name)]

    assert "t0ken" not in str(pins)
    assert [(pin.name, pin.problem) for pin in pins] == [
        ("a", "comes from a repository (https://h/a)"),
        ("b", "comes from a URL (https://h/b.whl)"),
        ("git+https://h/c", "comes from a URL or a repository"),
        ("d==1.*", "is not pinned to one version"),
        ("e", None),
    ]


def test_a_digest_by_which_files_can_be_exchanged_is_none(site: Path) -> None:
    """MD5 proves nothing."""
    record = site / "acme-1.0.dist-info/RECORD"
    record.write_text(record.read_text().replace("sha256=", "md5=", 1))

    assert judge(site)[0] == ["acme/__init__.py"]


def test_the_start_hook_of_another_distribution_is_its_own(site: Path) -> None:
    """Coverage brings one, for instance."""
    install_distribution(site, "hooks", "1.0", {"hooks.pth": "import hooks\n"})
    own, others = list_distributions([site])

    assert find_strays(read_record(own), read_record(others)) == ()
    assert find_strays(read_record(own)) == (str(site / "hooks.pth"),)


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
