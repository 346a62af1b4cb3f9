"""SEC-014: bombs in files. Each is refused with a typed error before memory, disk or another file is touched."""

import contextlib
import gzip
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.files.bombs import (
    PackedFile,
    build_archives,
    build_endless,
    build_entities,
    build_nesting,
    build_rows,
    build_slow,
    build_workbook,
)
from jivsbench_security.files.file_session import FileCheck, FileSession, read_texts
from jivsbench_security.files.file_sources import FileSource, offer_folder
from jivsbench_security.files.file_watch import OPENED, FileWatch
from jivsbench_security.processes import read_status
from jivsbench_security.servers.listeners import Listeners

_MIB: Final = 1 << 20
_GROWTH_BYTES: Final = 64 * _MIB
_FAST_BYTES: Final = 56 * _MIB
"""More than may be in memory, and little enough for a machine on which a target unpacks it all."""
_FULL_BYTES: Final = 1024 * _MIB
_CANARY: Final = "canary of the entities"
_ONE_MIB: Final = {"record": "row", "max_unpack_ratio": 1_000_000, "max_unpacked_bytes": _MIB, "max_workbook_bytes": _MIB}
"""A source whose limits are on bytes alone."""
_ENOUGH: Final = 2
"""Findings of one kind; a target that unpacks everything would otherwise be held up for long."""
_HERE: Final = "127.0.0.1"
_HEARING_S: Final = 5.0
_POLL_S: Final = 0.01
_FAIR: Final = ("fair.csv", "fair.json", "fair.jsonl", "fair.xml", "fair.xlsx", "fair.csv.gz")


class FileBombsCheck(FileCheck):
    """Offers files that ask for a lot, one after another; the kernel says how much memory the target took at most."""

    id = "SEC-014"
    title = "Bombs in files: stopped at the limit, with a typed error, and nothing else is touched"
    severity = Severity.HIGH
    cwe = ("CWE-409", "CWE-776", "CWE-611", "CWE-22")
    vulnerable = TargetVariant("vulnerable-unpacking", plugins=("jivsbench.testing.vulnerable.unpacking",))

    def _attack_files(self, context: CheckContext) -> CheckResult:
        if forget_peak(context.pid) is None:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, "this system does not tell how much memory a process took")
        arena = context.make_folder()
        root = arena / "root"
        root.mkdir(mode=0o700)
        (arena / "secret.txt").write_text(_CANARY)
        _write_fair(root)
        with offer_folder(context, root, record="row") as source:
            # All formats, before the attacks: what loads a library is no bomb.
            session = FileSession(self, lambda: all(ending.is_completed for ending in source.run_all(_FAIR)))
            return self._attack(context, session, lambda: _throw_all(context, session, source, arena))


def prove_hearing(listeners: Listeners, port: int) -> None:
    """Connect once, and forget it. Raises InvalidRunError when that is not noticed."""
    give_up_at_s, visits = time.monotonic() + _HEARING_S, 0
    with contextlib.suppress(OSError), socket.create_connection((_HERE, port), timeout=_HEARING_S):
        while not visits and time.monotonic() < give_up_at_s:
            time.sleep(_POLL_S)
            visits = len(listeners.take_visits())
    if visits != 1:
        raise InvalidRunError("the check's own server did not notice who connected to it")


def read_memory(pid: int, name: str) -> int | None:
    """A figure of a process's memory in bytes: VmRSS, or VmHWM for its peak. None where the system does not tell."""
    told = read_status(pid, name)
    return int(told) * 1024 if told is not None else None


def forget_peak(pid: int) -> int | None:
    """Let the peak begin anew at what is in use now, which is returned. None where that is not possible, or without a process.

    The peak of a process's whole life is no measure: what it once took hides what a file takes now.
    """
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return None
    return read_memory(pid, "VmRSS")


def _write_fair(root: Path) -> None:
    (root / "fair.csv").write_text("a\n1\n")
    (root / "fair.csv.gz").write_bytes(gzip.compress(b"a\n1\n"))
    (root / "fair.json").write_text('[{"a": 1}]')
    (root / "fair.jsonl").write_text('{"a": 1}\n')
    (root / "fair.xml").write_text("<r><row><a>1</a></row></r>")
    (root / "fair.xlsx").write_bytes(build_workbook())


def _throw_all(context: CheckContext, session: FileSession, source: FileSource, arena: Path) -> None:
    size = _FULL_BYTES if context.is_full else _FAST_BYTES
    # Short rows take the most memory and time for what they are; long ones show the same limit sooner.
    rows, secret = build_rows(size, b"0" * 31 + b"\n"), arena / "secret.txt"
    heavy = [rows[0], *build_endless(size)]
    if context.is_full:
        heavy += [*build_rows(size, b"0\n"), *build_slow(size)]
    targets = ("../../slipped", f"{arena}/slipped")
    before = _list_around(context, arena)
    listeners = Listeners()
    port = listeners.listen(socket.AF_INET, (_HERE, 0), "the entities' server")
    with (
        listeners.accepting(),
        FileWatch([arena], OPENED) as watch,
        offer_folder(context, source.root, **_ONE_MIB) as narrow,
    ):
        watch.prove_sight(secret)
        prove_hearing(listeners, port)
        # A source whose limits refuse everything stops no bomb.
        narrow.require(*_FAIR)
        peaks = [_throw(context, session, source, [bomb]) for bomb in heavy if len(session.findings) < _ENOUGH]
        peaks += [
            _throw(context, session, narrow, [*rows, *build_archives(4 * _MIB, targets)]),
            _throw(context, session, source, [*build_nesting(), *build_entities(secret, f"http://{_HERE}:{port}", _CANARY)]),
        ]
        if not session.findings:
            narrow.require(*_FAIR)
        if any(event.path == secret for event in watch.events()):
            session.add("a document opened a file outside", secret.name, "an external entity with that file's URL")
        if visits := listeners.take_visits():
            session.add("a document connected to a server", f"{len(visits)} times", "an external entity with a server's URL")
    for path in sorted(_list_around(context, arena) - before):
        session.add("an archive put a file outside", str(path), "an archive with names that climb")
    session.remarks.append(f"{session.attempted} files, at most {max(peaks) // _MIB} MiB more in memory")


def _list_around(context: CheckContext, arena: Path) -> set[Path]:
    """Where a name could climb to: around the folder that is read, and where the target writes."""
    return {*arena.iterdir(), *arena.parent.iterdir(), *context.output_dir.parent.iterdir(), *context.output_dir.rglob("slipped")}


def _throw(context: CheckContext, session: FileSession, source: FileSource, bombs: Sequence[PackedFile]) -> int:
    """Side by side. Returns how much the memory of the target grew at most, in bytes: all of them together may take no more."""
    for bomb in bombs:
        (source.root / bomb.name).write_bytes(bomb.content)
    start_bytes = forget_peak(context.pid)
    if start_bytes is None:
        raise InvalidRunError("the target's process is gone before a file was thrown at it")
    endings = source.run_all([bomb.name for bomb in bombs])
    peak_bytes = read_memory(context.pid, "VmHWM")
    if peak_bytes is None:
        session.tally.count(is_met=True)
        session.add("small files ended the target", "its process is gone", ", ".join(_describe(bomb) for bomb in bombs[:3]))
        return 0
    growth_bytes = max(peak_bytes - start_bytes, 0)
    if growth_bytes > _GROWTH_BYTES:
        evidence = f"{growth_bytes // _MIB} MiB more, and at most {_GROWTH_BYTES // _MIB} are allowed"
        session.add("small files took much memory", evidence, ", ".join(_describe(bomb) for bomb in bombs[:3]))
    for bomb, ending in zip(bombs, endings, strict=True):
        # A target that has removed it is one that has done something.
        (source.root / bomb.name).unlink()
        session.meet(ending, _describe(bomb))
        if _CANARY in read_texts(context, ending):
            session.add("entities of a document were carried out", "what they stand for is among the rows", _describe(bomb))
        elif ending.is_completed and not bomb.is_readable:
            session.add(
                "a bomb was read to its end", f"{(ending.job or {}).get('rows_written')} rows were written", _describe(bomb)
            )
    return growth_bytes


def _describe(bomb: PackedFile) -> str:
    return f"a file {bomb.name} of {len(bomb.content):,} bytes ({bomb.technique}) in a source of files"
