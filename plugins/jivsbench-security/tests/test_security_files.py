"""The pure parts and the oracles of the checks of files, which must be able to say no."""

import gzip
import mmap
import os
import random
import stat
import zipfile
from itertools import islice
from pathlib import Path

import pytest

from jivsbench_security.files.bombs import build_archives, build_entities, build_rows, build_workbook, pack_equal
from jivsbench_security.files.file_bombs import forget_peak, read_memory
from jivsbench_security.files.file_modes import ModeWatch, find_open_modes, list_leftovers, read_umask
from jivsbench_security.files.file_watch import MADE, OPENED, FileWatch
from jivsbench_security.files.formula_cells import build_rows as build_formulas
from jivsbench_security.files.formula_cells import find_dangers, is_run, parse_csv, restore
from jivsbench_security.files.path_traversal import Arena


def test_the_kernel_tells_of_every_opening_and_making(tmp_path: Path) -> None:
    """Also of those that come between two looks; what was not asked for is not told."""
    (tmp_path / "secret").write_text("x")
    with FileWatch([tmp_path], OPENED) as opened, FileWatch([tmp_path], MADE) as made:
        assert opened.events() == made.events() == ()
        (tmp_path / "secret").read_text()
        (tmp_path / "new").touch()

        assert {event.path.name for event in opened.events()} >= {"secret", "new"}
        assert [event.path.name for event in made.events()] == ["new"]


def test_a_mode_that_was_open_for_a_moment_is_seen(tmp_path: Path) -> None:
    """In a folder that was made meanwhile, and although the mode was mended before anybody looked at what is left."""
    old = os.umask(0)
    try:
        with ModeWatch(tmp_path) as watch:
            (tmp_path / "job").mkdir(mode=0o700)
            (tmp_path / "closed").touch(mode=0o600)
            (tmp_path / "open").touch()
            (tmp_path / "job" / "open").touch()
    finally:
        os.umask(old)

    assert find_open_modes(watch.seen) == [(tmp_path / "job" / "open", 0o666), (tmp_path / "open", 0o666)]


def test_leftovers_are_what_no_finished_job_owns(tmp_path: Path) -> None:
    """Folders of failed jobs, temporary files, and foreign names; what was there before is not looked into."""
    for folder in ("done", "failed", "older", ".jobs", ".hidden"):
        (tmp_path / folder).mkdir()
    for name in ("part-00000.csv", "part-00001.csv.tmp-1", "manifest.json", "core"):
        (tmp_path / "done" / name).touch()

    left = list_leftovers(tmp_path, {"done"}, {"older", ".jobs"})
    assert [path.name for path in left] == [".hidden", "core", "part-00001.csv.tmp-1", "failed"]


def test_umask_and_memory_are_those_of_the_process() -> None:
    """The umask in force; a peak that is forgotten begins anew and grows with what is taken."""
    old = os.umask(0o027)
    try:
        assert read_umask(os.getpid()) == 0o027
    finally:
        os.umask(old)
    start = forget_peak(os.getpid())
    with mmap.mmap(-1, 48 << 20) as taken:  # pages of its own: malloc may hand out what it kept resident
        taken.write(b"\1" * len(taken))
        peak = read_memory(os.getpid(), "VmHWM")

    assert peak is not None
    assert peak - start >= (48 - 4) << 20
    assert read_umask(0) is None is read_memory(0, "VmRSS")


def test_bombs_are_small_and_unpack_to_what_they_say() -> None:
    """A hundred times as much in every packed form, and twice that, the limit of the connector, with gzip."""
    size = 8 << 20
    assert len(gzip.decompress(pack_equal(b"a\n", b"0\n", size, ".gz"))) == size + 2
    assert all(
        len(bomb.content) * (200 if bomb.name.endswith(".gz") else 100) < size for bomb in build_rows(size, b"0" * 31 + b"\n")
    )


def test_archives_hold_what_they_threaten_with(tmp_path: Path) -> None:
    """Names that climb, and one whose declared size is a lie; the plain workbook is sound."""
    by_name = {bomb.name: bomb.content for bomb in build_archives(1 << 20, ("../../slipped",))}
    for name, content in {**by_name, "fair.xlsx": build_workbook()}.items():
        (tmp_path / name).write_bytes(content)

    assert "../../slipped" in zipfile.ZipFile(tmp_path / "slip.xlsx").namelist()
    assert zipfile.ZipFile(tmp_path / "big.xlsx").getinfo("xl/worksheets/sheet1.xml").file_size > 1 << 20
    assert zipfile.ZipFile(tmp_path / "lying.xlsx").getinfo("xl/worksheets/sheet1.xml").file_size < 1 << 10
    assert zipfile.ZipFile(tmp_path / "fair.xlsx").testzip() is None
    assert any(b"ENTITY" in bomb.content for bomb in build_entities(tmp_path, "http://127.0.0.1:1", "x"))


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\0x"])
def test_a_cell_that_is_run_is_known_and_comes_back(cell: str) -> None:
    """Escaped it is run no more; without the apostrophe it is what it was, and so is what looked escaped before."""
    assert is_run(cell)
    assert not is_run("'" + cell)
    assert restore("'" + cell) == cell
    assert restore("''" + cell) == "'" + cell
    assert restore("'x") == "'x"


def test_dangers_are_found_in_header_and_texts_and_not_in_numbers() -> None:
    """A column that is no text may hold -3."""
    records = parse_csv('id,"=1","text"\r\n-1,"x","=2"\r\n2,"\0y","a"\r\n')

    assert list(find_dangers(records, ["=1", "text"])) == [
        "column 2 of record 0: '=1'",
        "column 3 of record 1: '=2'",
        "column 2 of record 2: '\\x00y'",
    ]
    assert len({row["text"] for row in build_formulas()}) > 380


def test_the_names_of_an_arena_lead_to_its_secrets(tmp_path: Path) -> None:
    """Those that need no decoding do so for whoever joins paths; all are distinct enough, and repeatable."""
    arena = Arena(tmp_path)
    first, again = ([payload.text for payload in islice(arena.payloads(random.Random(3)), 1_500)] for _ in range(2))
    reached = {os.path.realpath(arena.root / text) for text in first[:20] if "\0" not in text}

    assert first == again
    assert len(set(first)) >= 1_443
    assert {str(tmp_path / "secret.csv"), str(tmp_path / "root_evil" / "secret.csv")} <= reached
    assert stat.S_IMODE(arena.root.stat().st_mode) == 0o700
