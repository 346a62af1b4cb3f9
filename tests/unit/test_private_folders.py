"""Folders for their owner alone: from the first moment, with what is above them, and never somebody else's."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jivsbench.errors import AuditError, OutputError
from jivsbench.extract.caching.key_file import read_cache_key
from jivsbench.extract.folders import create_job_folder
from jivsbench.extract.jobs.database import STORE_FOLDER, open_database
from jivsbench.history.store import open_history
from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.summary import Report
from jivsbench.private_folders import make_missing_folders, make_private_folder
from jivsbench.report.bundle import write_reports
from jivsbench.service.assembly import make_output_folder
from jivsbench.service.audit import AUDIT_FOLDER, open_trail


@pytest.fixture
def _open_umask() -> Iterator[None]:
    """A umask that lets everybody in."""
    before = os.umask(0)
    yield
    os.umask(before)


def read_mode(path: Path) -> int:
    """The permissions alone."""
    return stat.S_IMODE(path.lstat().st_mode)


def keep_history(folder: Path) -> None:
    """A history in a file of its own."""
    with open_history(None, folder):
        pass


def keep_jobs(folder: Path) -> None:
    """A job store in a file of its own."""
    open_database(None, folder, OPTIMIZED.metadata).close()


def start_trail(folder: Path) -> None:
    """An audit trail without a key."""
    open_trail(folder, None).close()


MAKERS: dict[str, Callable[[Path], object]] = {
    "missing": make_missing_folders,
    "private": make_private_folder,
    "reports": lambda folder: write_reports(folder, [Report("a", "a.txt", "text/plain", b"a")]),
    "jobs of one": lambda folder: create_job_folder(folder, "job").close(),
    "cache": read_cache_key,
    "job store": keep_jobs,
    "history": keep_history,
    "trail": start_trail,
    "outputs": make_output_folder,
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.usefixtures("_open_umask")
def test_what_is_missing_is_made_for_the_owner_alone(name: str, tmp_path: Path) -> None:
    """Whoever makes it, and however many are missing above it."""
    MAKERS[name](tmp_path / "a" / "b" / "c")

    made = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert {tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"} <= set(made)
    assert [path for path in made if read_mode(path) != 0o700] == []


def test_a_folder_that_the_user_named_stays_as_it_is(tmp_path: Path) -> None:
    """Shared with a group, or behind a link: its owner wants it so."""
    shared, link = tmp_path / "shared", tmp_path / "link"
    shared.mkdir()
    shared.chmod(0o750)
    link.symlink_to(shared)

    make_missing_folders(shared)
    make_missing_folders(link)
    make_missing_folders(link / "below")

    assert read_mode(shared) == 0o750
    assert read_mode(shared / "below") == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_missing_folders(tmp_path / "file")


def test_a_folder_of_our_own_is_closed_to_others(tmp_path: Path) -> None:
    """It is of a name that we chose: somebody less careful has made it."""
    folder = tmp_path / "own"
    folder.mkdir()
    folder.chmod(0o777)

    make_private_folder(folder)

    assert read_mode(folder) == 0o700
    with pytest.raises(FileExistsError):
        make_private_folder(folder, may_exist=False)


def test_a_link_and_a_file_are_no_folder_of_our_own(tmp_path: Path) -> None:
    """Whoever put them there would read what is written."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in (AUDIT_FOLDER, STORE_FOLDER, "own"):
        (tmp_path / name).symlink_to(elsewhere)

    with pytest.raises(AuditError, match="it is a link or a file"):
        open_trail(tmp_path, None)
    with pytest.raises(OutputError, match="it is a link or a file"):
        keep_jobs(tmp_path / STORE_FOLDER)
    with pytest.raises(NotADirectoryError):
        make_private_folder(tmp_path / "own")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_none_of_our_own(tmp_path: Path) -> None:
    """Its owner could open it again at any time."""
    folder = tmp_path / AUDIT_FOLDER
    folder.mkdir()
    os.chown(folder, 65_534, 65_534)

    with pytest.raises(AuditError, match="it belongs to somebody else"):
        open_trail(tmp_path, None)


@pytest.mark.parametrize("fault", ["link", "readable", "writable"])
def test_a_cache_key_that_others_may_know_is_refused(fault: str, tmp_path: Path) -> None:
    """Whoever knows it can write entries that the service believes."""
    key = read_cache_key(tmp_path)
    path = tmp_path / ".cache.key"
    assert read_cache_key(tmp_path) == key
    if fault == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.chmod(0o640 if fault == "readable" else 0o620)

    with pytest.raises(OutputError, match="remove it"):
        read_cache_key(tmp_path)


def test_a_pipe_in_the_place_of_a_cache_key_holds_nobody_up(tmp_path: Path) -> None:
    """Whoever may write into a shared folder could have a service wait for ever; the other end of the pipe is nobody's."""
    os.mkfifo(tmp_path / ".cache.key", 0o600)
    asked = "import pathlib, sys; from jivsbench.extract.caching.key_file import *; read_cache_key(pathlib.Path(sys.argv[1]))"

    ended = subprocess.run([sys.executable, "-c", asked, str(tmp_path)], capture_output=True, text=True, timeout=20, check=False)

    assert "remove it" in ended.stderr
