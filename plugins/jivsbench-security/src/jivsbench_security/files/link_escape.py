"""SEC-012: links, and races between a look and an opening. Nothing outside is read or written, whatever is swapped meanwhile."""

import ctypes
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from jivsbench.api import CheckContext, Response, TargetVariant
from jivsbench.errors import InvalidRunError, OutputError
from jivsbench.model.finding import CheckResult, Severity
from jivsbench_security.extractions import Ending
from jivsbench_security.files.file_session import FileCheck, FileSession, read_texts
from jivsbench_security.files.file_sources import FileSource, offer_folder
from jivsbench_security.files.file_watch import CHANGED, MADE, OPENED, FileWatch

_CANARY: Final = "canary behind a link"
_SWAPS: Final = 2_000
_FAST_JOBS: Final = 24
_FULL_JOBS: Final = 400
_FAST_FOLDERS: Final = 6
_FULL_FOLDERS: Final = 100
_PAUSE_S: Final = 0.0002
"""Between two swaps: the target needs a processor too."""
_PATIENCE_S: Final = 60.0
_EXCHANGE: Final = 2
_HERE: Final = -100
"""AT_FDCWD."""


class LinkEscapeCheck(FileCheck):
    """Plants links in sources and outputs, and swaps folders for links while jobs run; the kernel says what was opened."""

    id = "SEC-012"
    title = "Links and races: nothing outside is opened, whatever is swapped meanwhile"
    severity = Severity.HIGH
    cwe = ("CWE-59", "CWE-61", "CWE-367")
    vulnerable = TargetVariant("vulnerable-realpath", plugins=("jivsbench.testing.vulnerable.realpath_open",))

    def _attack_files(self, context: CheckContext) -> CheckResult:
        arena = _Arena(context.make_folder())
        with offer_folder(context, arena.root) as source:
            session = FileSession(self, lambda: source.run("fair.csv").is_completed)

            def send() -> None:
                _follow_links(context, session, source, arena)
                _race_for_files(context, session, source, arena)
                _plant_outputs(context, session, source, arena)
                _race_for_outputs(context, session, source, arena)

            return self._attack(context, session, send)


class _Arena:
    """A folder to be offered, full of links to what lies beside it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.outside, self.victim = folder / "root", folder / "outside", folder / "victim"
        for made in (self.root, self.outside, self.victim, self.root / "swapped"):
            made.mkdir(mode=0o700)
        for name in ("data.csv", "secret.csv"):
            (self.outside / name).write_text(f"text\n{_CANARY}\n")
        (self.root / "fair.csv").write_text("id\n1\n")
        (self.root / "swapped" / "data.csv").write_text("text\nharmless\n")
        self.link = self.root / "swapped-link"
        self.link.symlink_to(self.outside)
        for name, target in (
            ("relative.csv", "../outside/secret.csv"),
            ("absolute.csv", str(self.outside / "secret.csv")),
            ("outside", "../outside"),
            ("first.csv", "relative.csv"),
            ("process.csv", f"/proc/{os.getpid()}/root{self.outside}/secret.csv"),
            ("loop.csv", "loop.csv"),
            ("up", ".."),
        ):
            (self.root / name).symlink_to(target)
        os.link(self.outside / "secret.csv", self.root / "hard.csv")

    @property
    def names(self) -> tuple[str, ...]:
        """Tables that are behind links."""
        files = ("relative.csv", "absolute.csv", "first.csv", "process.csv", "loop.csv", "hard.csv")
        return (
            *files,
            "outside/secret.csv",
            "outside",
            "up/outside/secret.csv",
            "up/*.csv",
            "rel*.csv",
            "h*.csv",
            "outside/s*.csv",
        )


class Swapper:
    """Exchanges two names as often as it can, in a thread, until the end of the block. In one step, where the kernel knows it."""

    def __init__(self, first: Path, second: Path) -> None:
        self._names = (os.fsencode(first), os.fsencode(second))
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swapper", daemon=True)
        self.swaps = 0

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._libc.renameat2(_HERE, self._names[0], _HERE, self._names[1], _EXCHANGE) == 0:
                self.swaps += 1
            time.sleep(_PAUSE_S)

    def __enter__(self) -> Self:
        if not hasattr(self._libc, "renameat2"):
            raise InvalidRunError("this system cannot exchange two names, so no race can be run")
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(_PATIENCE_S)


def require_swaps(swaps: int, least: int) -> None:
    """Raises InvalidRunError for a race that was none: on file systems that exchange no names, and on a machine that is busy."""
    if swaps < least:
        raise InvalidRunError(f"two names were exchanged {swaps} times instead of {least}, so no race was run")


def _follow_links(context: CheckContext, session: FileSession, source: FileSource, arena: _Arena) -> None:
    # By its other name within the root a file outside is opened without an event outside.
    for name, ending in zip(arena.names, source.run_all(arena.names), strict=True):
        reproducer = f"a link in the source's folder, table {name!r}"
        session.meet(ending, reproducer)
        if _CANARY in read_texts(context, ending):
            session.add("a link led out of the source's folder", "rows of the file outside came back", reproducer)
    session.remarks.append(f"{len(arena.names)} links")


def _race_for_files(context: CheckContext, session: FileSession, source: FileSource, arena: _Arena) -> None:
    jobs = _FULL_JOBS if context.is_full else _FAST_JOBS
    endings: list[Ending] = []
    started_s = time.monotonic()
    with FileWatch([arena.outside], OPENED) as watch, Swapper(arena.root / "swapped", arena.link) as swapper:
        watch.prove_sight(arena.outside / "secret.csv")
        while len(endings) < jobs or swapper.swaps < _SWAPS:
            endings += source.run_all(["swapped/data.csv"] * 8)
            if time.monotonic() - started_s > _PATIENCE_S:
                break
        events = watch.events()
    require_swaps(swapper.swaps, _SWAPS)
    # A folder's own event has its own path: it was opened, though no file in it.
    opened = sum(event.path.suffix == ".csv" for event in events)
    read = sum(_CANARY in read_texts(context, ending) for ending in endings)
    reproducer = f"exchange a folder of the source with a link to another {swapper.swaps} times while a table in it is extracted"
    for ending in endings:
        session.meet(ending, reproducer)
    if opened or read:
        evidence = f"the file outside was opened {opened} times and read by {read} of {len(endings)} jobs"
        session.add("a race led out of the source's folder", evidence, reproducer)
    completed = sum(ending.is_completed for ending in endings)
    session.remarks.append(f"{swapper.swaps} swaps during {len(endings)} jobs, {completed} of which met the folder alone")


def _plant_outputs(context: CheckContext, session: FileSession, source: FileSource, arena: _Arena) -> None:
    """What lies where the folder of a job will be, before the job starts."""

    def link(place: Path) -> None:
        place.symlink_to(arena.victim)

    def open_folder(place: Path) -> None:
        place.mkdir()
        place.chmod(0o777)

    plants: dict[str, Callable[[Path], Any]] = {
        "a link to a folder": link,
        "a folder that all may write to": open_folder,
        "a file": Path.touch,
    }
    for what, plant in plants.items():
        job_id = _create(source)
        place = context.output_dir / job_id
        plant(place)
        with FileWatch([arena.victim], MADE) as watch:
            ending = source.extractions.run_prepared(job_id)
            made = watch.events()
        session.meet(ending, what, refusal=OutputError.slug)
        if made or ending.is_completed:
            session.add(
                f"a job wrote into {what} that took its folder's place", f"{len(made)} files outside", f"{what} as OUTPUT/JOB"
            )
        _remove(place)
    session.remarks.append(f"{len(plants)} planted outputs")


def _race_for_outputs(context: CheckContext, session: FileSession, source: FileSource, arena: _Arena) -> None:
    """A link that changes places with the folder of a running job; its files must stay where they were begun."""
    link = context.output_dir / f"swapped-{os.getpid()}"
    jobs = _FULL_FOLDERS if context.is_full else _FAST_FOLDERS
    reproducer = "exchange OUTPUT/JOB with a link while the job runs"
    swaps = 0
    with FileWatch([arena.victim], MADE | CHANGED) as watch:
        for _job in range(jobs):
            job_id = _create(source)
            link.symlink_to(arena.victim)
            try:
                with Swapper(context.output_dir / job_id, link) as swapper:
                    session.meet(source.extractions.run_prepared(job_id), reproducer, refusal=OutputError.slug)
            finally:
                for place in (link, context.output_dir / job_id):
                    _remove(place)
            swaps += swapper.swaps
        made = watch.events()
    if made:
        session.add("a job wrote outside of its folder", f"{len(made)} files", reproducer)
    require_swaps(swaps, jobs)
    session.remarks.append(f"{swaps} swaps of {jobs} outputs")


def _create(source: FileSource) -> str:
    answer: Response = source.extractions.create({"source": source.name, "table": "fair.csv"})
    if not isinstance(answer.body, dict) or "id" not in answer.body:
        raise InvalidRunError(f"a harmless extraction was not created: {answer.status}")
    return str(answer.body["id"])


def _remove(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    else:
        shutil.rmtree(place, ignore_errors=True)
