"""The audit trail: a chain that shows every change, and that stops what it cannot write down."""

import json
import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.cli.root import root
from jivsbench.errors import AuditError, ConfigError
from jivsbench.exitcodes import ExitCode
from jivsbench.extract.credentials import AUDIT_USE, format_new_key, parse_credential_key
from jivsbench.model.audit import START, format_line, review_trail
from jivsbench.service.audit import AUDIT_FOLDER, AuditKey, AuditTrail, open_trail
from jivsbench.service.trail_files import list_full
from jivsbench.service.trail_files import read_lines as read_all_lines

KEY = AuditKey("0123456789abcdef", bytes(range(32)))


def write(folder: Path, count: int = 5, key: AuditKey | None = KEY) -> Path:
    """A closed trail of so many events."""
    trail = open_trail(folder, key)
    for number in range(count):
        trail.record("asked", path=f"/api/v1/{number}", role="ADMIN", nothing=None)
    trail.close()
    return trail.path


def read_lines(path: Path) -> list[bytes]:
    """Its lines with their ends."""
    return path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("before", [0, 3])
@pytest.mark.parametrize("count", [1_300, 10_000])
def test_a_long_last_line_was_not_cut(tmp_path: Path, before: int, count: int) -> None:
    """A service of a thousand sources that ends before anybody asks for anything is started again."""
    write(tmp_path, before)
    trail = open_trail(tmp_path, KEY)
    trail.record("started", sources=[f"source-{number:06d}-{'x' * 48}" for number in range(count)])
    trail.close()

    again = open_trail(tmp_path, KEY)
    again.record("asked", path="/api/v1/1")
    again.close()

    assert len(read_lines(trail.path)[before]) > 65_536
    assert review_trail(read_lines(trail.path), KEY.secret, again.head).is_intact


@pytest.mark.parametrize("key", [KEY, None], ids=["signed", "plain"])
def test_what_was_written_holds(tmp_path: Path, key) -> None:
    """Over three openings of one file, all lines in one chain; the file and its folder are their owner's, whatever the umask."""
    mask = os.umask(0)
    try:
        path, *_ = [write(tmp_path, 5, key) for _ in range(3)]
    finally:
        os.umask(mask)
    lines = read_lines(path)

    review = review_trail(lines, key.secret if key else None)
    assert (review.lines, review.is_intact, review.head) == (15, True, json.loads(lines[-1])["digest"])
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert "nothing" not in json.loads(lines[0])


@pytest.mark.parametrize("key", [KEY, None], ids=["signed", "plain"])
def test_every_change_of_every_byte_is_found(tmp_path: Path, key) -> None:
    """One bit of each byte of the file, one by one."""
    raw = write(tmp_path, 3, key).read_bytes()
    secret = key.secret if key else None
    unseen = [
        at
        for at in range(len(raw))
        if review_trail((raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]).splitlines(keepends=True), secret).is_intact
    ]

    assert unseen == []


@given(st.data())
def test_lines_taken_out_put_in_or_moved_are_found(data) -> None:
    """Whatever order, unless it is the beginning of the trail as it was."""
    lines, previous = [], START
    for number in range(6):
        line, previous = format_line({"event": str(number)}, number + 1, previous, KEY.secret)
        lines.append(line)
    chosen = data.draw(st.lists(st.sampled_from(lines), max_size=8))

    review = review_trail(chosen, KEY.secret)
    assert review.is_intact == (chosen == lines[: len(chosen)])
    assert chosen[: review.lines] == lines[: review.lines]


def test_lines_cut_off_the_end_are_found_by_a_noted_digest(tmp_path: Path) -> None:
    """The digest that the service logged is missing then; it is there when the trail only grew."""
    path = write(tmp_path)
    noted = review_trail(read_lines(path), KEY.secret).head
    assert review_trail(read_lines(write(tmp_path)), KEY.secret, noted).is_intact

    cut = read_lines(path)[:3]
    assert review_trail(cut, KEY.secret).is_intact
    assert not review_trail(cut, KEY.secret, noted).is_intact


def test_nobody_writes_a_chain_anew_without_the_key() -> None:
    """A forged chain holds in itself and not under the key."""
    line, _ = format_line({"event": "asked"}, 1, START, None)

    assert review_trail([line], None).is_intact
    assert not review_trail([line], KEY.secret).is_intact


def test_an_event_cannot_forge_a_line(tmp_path: Path) -> None:
    """Line ends, escapes, terminal codes and marks of direction stay within one line of ASCII; long texts are cut."""
    trail = open_trail(tmp_path, KEY)
    hostile = 'x\n{"event":"forged"}\r\u2028\x1b[2J\u202e' + "y" * 10_000
    trail.record("asked", path=hostile)
    trail.close()
    (line,) = trail.path.read_bytes().splitlines()

    assert line.isascii()
    assert not any(byte < 0x20 for byte in line)
    assert json.loads(line)["path"].startswith('x\n{"event"')
    assert len(line) < 2_000


def test_a_trail_that_was_altered_is_not_continued(tmp_path: Path) -> None:
    """A service does not start on a trail whose last line is not its own; the message says what to do."""
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])

    with pytest.raises(AuditError, match="altered or cut"):
        open_trail(tmp_path, KEY)


@pytest.mark.parametrize("how", ["removed", "written to", "cut"])
def test_a_trail_that_somebody_else_touches_stops_everything(tmp_path: Path, how) -> None:
    """While the service runs, a removed, grown or cut file is noticed at the next event, and nothing is written over it."""
    trail = open_trail(tmp_path, KEY)
    trail.record("asked")
    if how == "removed":
        trail.path.unlink()
    else:
        with trail.path.open("r+b") as file:
            file.truncate(5) if how == "cut" else file.seek(0, 2)
            if how == "written to":
                file.write(b"{}\n")

    with pytest.raises(AuditError, match="nothing is carried out"):
        trail.record("asked")
    trail.close()


def test_a_full_disk_stops_everything_and_leaves_no_half_line() -> None:
    """On a real device that is always full."""
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    trail = AuditTrail(Path("/dev/full"), os.open("/dev/full", os.O_RDWR), KEY, 0, START)
    with pytest.raises(AuditError, match="No space left"):
        trail.record("asked")
    assert trail.head == START


def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """The trail is not written to wherever somebody points it."""
    (tmp_path / AUDIT_FOLDER).mkdir()
    (tmp_path / AUDIT_FOLDER / f"trail-{KEY.key_id}.jsonl").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(AuditError, match="cannot be used"):
        open_trail(tmp_path, KEY)
    assert not (tmp_path / "elsewhere").exists()


FULL_BYTES = 2_000


def write_files(folder: Path, count: int = 60, key: AuditKey = KEY) -> Path:
    """A closed trail of so many events, in several files."""
    trail = open_trail(folder, key, FULL_BYTES)
    for number in range(count):
        trail.record("asked", path=f"/api/v1/{number}")
    trail.close()
    return trail.path


def test_a_full_file_is_followed_by_another_of_the_same_chain(tmp_path: Path) -> None:
    """Over several openings; no file grows much beyond its size, all are private, and together they are one chain."""
    mask = os.umask(0)
    try:
        path, *_ = [write_files(tmp_path) for _ in range(3)]
    finally:
        os.umask(mask)
    files = [*list_full(path), path]

    assert len(files) > 10
    assert [file.name for file in files[:2]] == [f"trail-{KEY.key_id}.00000{number}.jsonl" for number in (1, 2)]
    assert max(file.stat().st_size for file in files) < FULL_BYTES + 500
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert sorted(path.parent.iterdir()) == sorted(files)
    review = review_trail(read_all_lines(path), KEY.secret)
    assert (review.lines, review.is_intact) == (180, True)
    assert review_trail(read_all_lines(files[3]), KEY.secret).is_intact


def test_a_file_that_is_missing_between_others_is_found(tmp_path: Path) -> None:
    """And so are the first ones, unless it is said after which digest they were moved away."""
    path = write_files(tmp_path)
    first, second, third, *_ = list_full(path)
    noted = json.loads(read_lines(second)[-1])["digest"]
    middle = second.read_bytes()
    second.unlink()
    assert not review_trail(read_all_lines(path), KEY.secret).is_intact
    second.write_bytes(middle)
    first.rename(tmp_path / "moved-1")
    second.rename(tmp_path / "moved-2")

    assert not review_trail(read_all_lines(path), KEY.secret).is_intact
    assert review_trail(read_all_lines(path), KEY.secret, after=noted).is_intact
    assert review_trail(read_all_lines(path), KEY.secret, noted, noted).is_intact
    third.unlink()
    assert "what was moved away" in str(review_trail(read_all_lines(path), KEY.secret, after=noted).problem)


def test_a_trail_goes_on_where_the_last_full_file_ends(tmp_path: Path) -> None:
    """Though the file that is written to is gone: a chain that begins anew would hide what was in it."""
    path = write_files(tmp_path)
    kept = list_full(path)
    path.unlink()
    write_files(tmp_path, 3)

    assert review_trail(read_all_lines(path), KEY.secret).is_intact
    assert json.loads(read_lines(path)[0])["line"] > 30
    kept[-1].write_bytes(kept[-1].read_bytes()[:-10])
    path.unlink()
    with pytest.raises(AuditError, match="altered or cut"):
        open_trail(tmp_path, KEY)


def test_a_change_of_files_that_was_cut_is_undone(tmp_path: Path) -> None:
    """The process ended between the two names of one file: its lines are there once."""
    path = write(tmp_path)
    path.with_name(f"{path.stem}.000001.jsonl").hardlink_to(path)
    path.with_name(f".{path.name}.next").touch()

    path = write_files(tmp_path)

    review = review_trail(read_all_lines(path), KEY.secret)
    assert (review.lines, review.is_intact) == (65, True)
    assert list(path.parent.glob(".*")) == []


def test_a_trail_is_read_whole_while_a_service_goes_on_to_the_next_file(tmp_path: Path) -> None:
    """What is full by now is neither left out nor read twice: an intact trail would look as if somebody had changed it."""
    path = write_files(tmp_path)
    lines = read_all_lines(path)
    first = next(lines)
    write_files(tmp_path)

    review = review_trail((first, *lines), KEY.secret)

    assert review.is_intact
    assert 60 <= review.lines < 120
    path.with_name(f"{path.stem}.000999.jsonl").hardlink_to(path)
    assert review_trail(read_all_lines(path), KEY.secret).lines == 120


def test_a_file_that_cannot_be_followed_grows_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Events are not lost because there is no other file; the log says so, and not at each of them."""
    path = write(tmp_path, 1)
    path.with_name(f".{path.name}.next").mkdir()
    write_files(tmp_path)

    assert list_full(path) == ()
    assert review_trail(read_lines(path), KEY.secret).lines == 61
    assert 1 <= caplog.text.count("no other could be begun") < 20


def test_trails_of_other_keys_are_not_mixed(tmp_path: Path) -> None:
    """Each key has a chain of its own, in the same folder."""
    other = AuditKey("fedcba9876543210", bytes(32))
    path, another = write_files(tmp_path), write_files(tmp_path, 40, other)

    assert review_trail(read_all_lines(path), KEY.secret).lines == 60
    assert review_trail(read_all_lines(another), other.secret).lines == 40


def test_the_command_tells_intact_changed_cut_and_empty_apart(tmp_path: Path) -> None:
    """Exit codes 0, 1, 1 and 4; a signed trail without its key, or a file of another name, is a mistake."""
    text = format_new_key()
    key = parse_credential_key(text)
    path = write(tmp_path, 4, AuditKey(key.key_id, key.derive(AUDIT_USE)))
    runner, env = CliRunner(), {"JIVSBENCH_CREDENTIAL_KEY": text.reveal()}

    def review(*arguments: str, **more: object):
        return runner.invoke(root, ["trail", str(path), *arguments], env=env, standalone_mode=False, **more)

    whole = review("--json")
    assert (whole.return_value, json.loads(whole.output)["lines"]) == (ExitCode.PASSED, 4)
    assert review("--head", "f" * 64).return_value == ExitCode.GATE_FAILED
    lines = read_lines(path)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    changed = review()
    assert (changed.return_value, "line 2 is not what was written" in changed.output) == (ExitCode.GATE_FAILED, True)
    path.write_bytes(b"")
    assert review().return_value == ExitCode.INVALID

    path.unlink()
    write_files(tmp_path, 60, AuditKey(key.key_id, key.derive(AUDIT_USE)))
    assert json.loads(review("--json").output)["lines"] == 60
    first = list_full(path)[0]
    digest = json.loads(read_lines(first)[-1])["digest"]
    first.unlink()
    assert (review().return_value, review("--after", digest).return_value) == (ExitCode.GATE_FAILED, ExitCode.PASSED)

    path.unlink()
    assert isinstance(missing := review().exception, ConfigError)
    assert "cannot be read (No such file or directory): check its name" in str(missing)
    env.clear()
    assert isinstance(review().exception, ConfigError)
    assert isinstance(runner.invoke(root, ["trail", str(tmp_path / "other.jsonl")]).exception, ConfigError)
