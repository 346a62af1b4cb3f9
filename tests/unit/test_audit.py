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
from jivsbench.service.audit import AUDIT_FOLDER, AuditKey, open_trail

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
    from jivsbench.service.audit import AuditTrail

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

    env.clear()
    assert isinstance(review().exception, ConfigError)
    assert isinstance(runner.invoke(root, ["trail", str(tmp_path / "other.jsonl")]).exception, ConfigError)
