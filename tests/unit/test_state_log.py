"""The state log: whatever a crash or a failing disk does to it, it never names what was not committed."""

import errno
import os
from pathlib import Path

import pytest

from jivsbench.errors import OutputError, ResumeError
from jivsbench.extract import folders
from jivsbench.extract.state_log import STATE_LOG, open_state_log, parse_log

RECORDS = [b'{"header": 1}', b'{"part": "\xc3\xa4\\r"}', b"", b'{"part": 3}']


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A log of four records, as it lies on the disk."""
    log = open_state_log(str(tmp_path))
    for record in RECORDS:
        log.append(record)
    log.close()
    return (tmp_path / STATE_LOG).read_bytes()


def open_content(folder: Path, content: bytes) -> list[bytes]:
    """The records of a log with this content; it can then be added to, and read again."""
    folder.mkdir()
    (folder / STATE_LOG).write_bytes(content)
    log = open_state_log(str(folder))
    found = list(log.records)
    log.append(b"more")
    log.close()
    again = open_state_log(str(folder))
    again.close()
    assert list(again.records) == [*found, b"more"]
    return found


def test_a_log_cut_at_any_byte_opens_at_its_last_whole_record(content: bytes, tmp_path: Path) -> None:
    """Never fewer records than there are whole lines, never one more."""
    for size in range(len(content) + 1):
        assert open_content(tmp_path / str(size), content[:size]) == RECORDS[: content[:size].count(b"\n")]


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"\xff" * 60, b"{}", b"\n", b"0" * 32 + b" {}\n"])
def test_garbage_at_the_end_is_no_record(content: bytes, tmp_path: Path, garbage: bytes) -> None:
    """What a file system can leave behind a crash."""
    assert open_content(tmp_path / "log", content + garbage) == RECORDS


def test_a_changed_byte_takes_nothing_in_that_was_not_written(content: bytes, tmp_path: Path) -> None:
    """In the last line it is a torn write (of two lines, when the break before it is gone); before, the log is refused."""
    last = content[:-1].rindex(b"\n") + 1
    for at in range(len(content)):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        if at >= last - 1:
            assert open_content(tmp_path / str(at), changed) == (RECORDS[:-1] if at >= last else RECORDS[:-2])
            continue
        with pytest.raises(ResumeError, match="damaged in its middle"):
            open_content(tmp_path / str(at), changed)


def test_lines_that_were_moved_or_left_out_are_found(content: bytes) -> None:
    """Each digest covers the one before."""
    lines = content.splitlines(keepends=True)
    for wrong in ([lines[1], lines[0], *lines[2:]], [lines[0], *lines[2:]], lines[1:]):
        with pytest.raises(ResumeError):
            parse_log(b"".join(wrong), "out")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    """The second is refused, and the first one's end lets the next in; a removed log is not written to."""
    first = open_state_log(str(tmp_path))
    with pytest.raises(ResumeError, match="another process"):
        open_state_log(str(tmp_path))
    first.remove()
    second = open_state_log(str(tmp_path))
    second.append(b"mine")
    second.close()

    with pytest.raises((ResumeError, OutputError)):
        first.append(b"late")
    assert second.records == ()


def test_a_log_that_another_wrote_to_is_lost_to_it(tmp_path: Path) -> None:
    """Where locks mean nothing: compare and set."""
    log = open_state_log(str(tmp_path))
    log.append(b"mine")
    with (tmp_path / STATE_LOG).open("ab") as other:
        other.write(b"theirs\n")

    with pytest.raises(ResumeError, match="not as this process left it"):
        log.append(b"mine again")
    log.close()


def test_a_failed_sync_is_never_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO: the record counts as unknown, nothing more is added, and a full disk in the middle of a line is said too."""
    log = open_state_log(str(tmp_path))

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(folders.os, "fsync", fail)
        with pytest.raises(OutputError, match="Input/output error"):
            log.append(b"lost")
    with pytest.raises(ResumeError):
        log.append(b"after")
    log.close()


def test_what_one_write_did_not_take_is_written_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nearly full disk takes a part: no manifest lacks its end."""
    write = os.write
    monkeypatch.setattr(folders.os, "write", lambda descriptor, content: write(descriptor, bytes(content)[:3000]))
    job = folders.create_job_folder(tmp_path, "job")
    manifest = b'{"whole": "' + b"x" * 10_000 + b'"}'
    job.write_manifest(manifest)

    assert (tmp_path / "job" / "manifest.json").read_bytes() == manifest
