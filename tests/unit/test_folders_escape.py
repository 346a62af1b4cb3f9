"""No output leaves its folder: links, swapped folders, foreign folders and names that lead elsewhere."""

import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from jivsbench.errors import OutputError
from jivsbench.extract.folders import MANIFEST, JobFolder, create_job_folder, enter_job_folder, write_synced

ENTRIES = [create_job_folder, enter_job_folder]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An output folder and, beside it, what must not be touched."""
    (tmp_path / "out").mkdir()
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "part-00000.parquet").write_text("somebody's")
    (victim / MANIFEST).write_text("somebody's")
    return tmp_path


def is_untouched(place: Path) -> bool:
    """True when the victim holds what it held."""
    return sorted(path.name for path in (place / "victim").iterdir()) == [MANIFEST, "part-00000.parquet"] and all(
        path.read_text() == "somebody's" for path in (place / "victim").iterdir()
    )


def fill(folder: JobFolder, name: str = "part-0") -> None:
    """All that a job does in its folder."""
    descriptor = folder.create_file(name)
    write_synced(descriptor, b"rows")
    os.close(descriptor)
    assert Path(folder.temporary(name)).read_bytes() == b"rows"
    folder.publish([name])
    folder.write_manifest(b"{}")


@pytest.mark.parametrize("enter", ENTRIES)
@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_a_link_in_place_of_the_folder_is_refused(place: Path, enter, target) -> None:
    """Neither followed nor replaced; and nothing of an earlier attempt is cleared away behind it."""
    (place / "out" / "job").symlink_to(place / target)

    with pytest.raises(OutputError, match="is a link or a file"):
        enter(place / "out", "job")
    assert is_untouched(place)


@pytest.mark.parametrize("enter", ENTRIES)
def test_a_folder_that_others_could_fill_is_refused(place: Path, enter) -> None:
    """World-writable, or somebody else's."""
    folder = place / "out" / "job"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(OutputError, match="others can write"):
        enter(place / "out", "job")
    if os.geteuid() == 0:
        folder.chmod(0o700)
        os.chown(folder, 65534, 65534)
        with pytest.raises(OutputError, match="others can write"):
            enter(place / "out", "job")


@pytest.mark.parametrize("enter", ENTRIES)
@pytest.mark.parametrize("job_id", ["", ".", "..", "../victim", "/tmp/victim", "a/b", "job\0x", "..\x00/"])
def test_an_id_that_leads_elsewhere_is_refused(place: Path, enter, job_id) -> None:
    """A job's id is one name."""
    with pytest.raises(OutputError, match="lead elsewhere"):
        enter(place / "out", job_id)
    assert is_untouched(place)


@pytest.mark.parametrize("enter", ENTRIES)
def test_a_folder_swapped_for_a_link_takes_nothing_along(place: Path, enter) -> None:
    """After the folder was opened its name is given to a link: files go to the folder, and cleaning up spares the victim."""
    folder = enter(place / "out", "job")
    (place / "out" / "job").rename(place / "moved")
    (place / "out" / "job").symlink_to(place / "victim")
    fill(folder)

    assert (place / "moved" / "part-0").read_bytes() == b"rows"
    folder.keep_only([])
    folder.drop_unfinished()
    folder.remove()
    assert is_untouched(place)
    assert list((place / "moved").iterdir()) == []


def test_a_link_in_place_of_a_file_is_not_written_through(place: Path) -> None:
    """Somebody guesses the temporary name."""
    folder = create_job_folder(place / "out", "job")
    (place / "out" / "job" / f"part-0.tmp-{folder.attempt}").symlink_to(place / "victim" / MANIFEST)

    with pytest.raises(OutputError):
        folder.create_file("part-0")
    assert is_untouched(place)


def swap(place: Path, is_over: threading.Event) -> Iterator[int]:
    """As fast as can be: the folder's name is the folder, then a link to the victim, then a folder again."""
    job, aside = place / "out" / "job", place / "aside"
    count = 0
    while not is_over.is_set():
        try:
            job.rename(aside)
            job.symlink_to(place / "victim")
            job.unlink()
            aside.rename(job)
        except OSError:
            # The other side made a folder in between: away with it, if it is still there.
            with suppress(OSError):
                if aside.exists() and job.is_dir() and not job.is_symlink():
                    for path in job.iterdir():
                        path.unlink(missing_ok=True)
                    job.rmdir()
        count += 1
        yield count


def test_a_racer_who_swaps_the_folder_gains_nothing(place: Path) -> None:
    """Hundreds of swaps while a hundred jobs begin, write and clean up: the victim is as it was."""
    is_over, swaps = threading.Event(), []

    def race() -> None:
        for count in swap(place, is_over):
            swaps.append(count)  # noqa: PERF402 - the other thread looks how far it is

    (place / "out" / "job").mkdir()
    racer = threading.Thread(target=race)
    racer.start()
    attempts, give_up_at_s = 0, time.monotonic() + 30
    while (attempts < 100 or len(swaps) < 500) and time.monotonic() < give_up_at_s:
        attempts += 1
        try:
            folder = enter_job_folder(place / "out", "job")
            fill(folder, f"part-{attempts}")
            folder.remove()
        except (OutputError, OSError):
            continue
    is_over.set()
    racer.join(10)

    assert is_untouched(place)
    assert len(swaps) >= 500
    assert attempts >= 100


@pytest.mark.parametrize("enter", ENTRIES)
def test_everything_is_its_owners_alone_whatever_the_umask(tmp_path: Path, enter) -> None:
    """Folders 0700, also those made on the way; files 0600, under their temporary names too."""
    mask = os.umask(0)
    try:
        folder = enter(tmp_path / "a" / "b", "job")
        descriptor = folder.create_file("part-0")
        early = stat.S_IMODE(os.fstat(descriptor).st_mode)
        os.close(descriptor)
        fill(folder, "part-1")
    finally:
        os.umask(mask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "b" / "job").iterdir()}

    assert early == 0o600
    assert set(modes.values()) == {0o600}
    assert {stat.S_IMODE((tmp_path / part).stat().st_mode) for part in ("a/b", "a/b/job")} == {0o700}


def test_an_open_folder_is_let_go(tmp_path: Path) -> None:
    """Two hundred jobs leave no descriptor behind."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("this machine cannot list the descriptors of a process")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(200):
        create_job_folder(tmp_path, f"job-{number}").remove()

    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
