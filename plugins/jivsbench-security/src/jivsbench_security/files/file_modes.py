"""SEC-013: modes and leftovers. Every file is for its owner alone from its first moment, and failed jobs leave none."""

import contextlib
import os
import select
import stat
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from jivsbench.api import CheckContext, TargetChanges, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.extractions import Extractions
from jivsbench_security.files.file_session import FileSession
from jivsbench_security.files.file_watch import CHANGED, MADE, FileWatch
from jivsbench_security.hostile_check import HostileCheck, started
from jivsbench_security.processes import read_status

_FORMATS: Final = ("parquet", "arrow", "csv", "jsonl")
_OTHERS: Final = 0o077
_OTHERS_READ: Final = 0o044
_POLL_S: Final = 0.05
_PATIENCE_S: Final = 10.0
_SHARED: Final = ("/tmp/", "/var/tmp/", "/dev/shm/")  # noqa: S108 - looked at, not written to
_OWN_NAMES: Final = ("part-", "manifest.json")


class FileModesCheck(HostileCheck):
    """Runs jobs that succeed and jobs that fail, and looks at each file in the moment that it is made, and at what stays."""

    id = "SEC-013"
    title = "Files: for their owner alone at every moment, and none left of what failed"
    severity = Severity.MEDIUM
    cwe = ("CWE-276", "CWE-377", "CWE-732")
    vulnerable = TargetVariant("vulnerable-modes", plugins=("jivsbench.testing.vulnerable.open_modes",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. A umask that would hide an open mode is taken away, in a target of the check's own."""
        umask = read_umask(context.pid)
        if umask is None:
            return self._leave_out(context, CheckOutcome.NOT_TESTED, "this system does not tell the umask of a process")
        with ExitStack() as exits:
            temporary = context.make_folder()
            if context.is_full or umask & _OTHERS_READ:
                changes = TargetChanges(umask=0, environment=(("TMPDIR", str(temporary)),))
                context, umask = exits.enter_context(started(context, changes)), 0
            session = FileSession(self, lambda: _runs(context))
            session.remarks.append(f"umask {umask:03o}")
            return self._attack(context, session, lambda: _look_at_jobs(context, session, temporary))


class ModeWatch:
    """Looks at every entry of a folder, and of those in it, when it is made and when its mode changes; in a thread.

    With a process it looks as well at which files that one holds open in folders for everybody's temporary files.
    """

    def __init__(self, folder: Path, pid: int | None = None) -> None:
        self._folder = folder
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="modes", daemon=True)
        self._is_ready = threading.Event()
        self._failure: Exception | None = None
        self.seen: dict[Path, int] = {}
        """The most open mode that each was seen with."""
        self.held: set[Path] = set()
        """Temporary files that were open at some moment."""

    def _run(self) -> None:
        try:
            with FileWatch([self._folder], MADE | CHANGED) as watch:
                self._look_into(watch, self._folder)
                self._is_ready.set()
                is_last = False
                while not is_last:
                    # One more look after the end, for what was made last.
                    is_last = self._stop.is_set()
                    select.select([watch], [], [], 0 if is_last else _POLL_S)
                    for event in watch.events():
                        self._look_at(watch, event.path)
                    if self._pid is not None:
                        self.held |= find_shared_files(self._pid)
        except Exception as problem:  # noqa: BLE001 - whatever ends the thread: who does not look sees nothing open
            self._failure = problem
        finally:
            self._is_ready.set()

    def _look_at(self, watch: FileWatch, path: Path) -> None:
        try:
            mode = path.lstat().st_mode
        except OSError:
            # Renamed or removed already; its next name is looked at.
            return
        self.seen[path] = self.seen.get(path, 0) | stat.S_IMODE(mode)
        if stat.S_ISDIR(mode) and path != self._folder:
            watch.add(path)
            self._look_into(watch, path)

    def _look_into(self, watch: FileWatch, folder: Path) -> None:
        try:
            paths = list(folder.iterdir())
        except OSError:
            # Removed already, as the folders of failed jobs are.
            return
        for path in paths:
            self._look_at(watch, path)

    def __enter__(self) -> Self:
        self._thread.start()
        # What is made before somebody looks is seen too late, when its mode may have been mended.
        self._is_ready.wait(_PATIENCE_S)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(_PATIENCE_S)
        if self._failure is not None or self._thread.is_alive():
            why = type(self._failure).__name__ if self._failure else "it does not end"
            raise InvalidRunError(f"nobody looked at the files while jobs ran ({why})") from self._failure


def read_umask(pid: int) -> int | None:
    """The umask of a process; None where the system does not tell."""
    told = read_status(pid, "Umask")
    return int(told, 8) if told is not None else None


def find_open_modes(seen: dict[Path, int]) -> list[tuple[Path, int]]:
    """Those that anybody but the owner may do something with."""
    return sorted((path, mode) for path, mode in seen.items() if mode & _OTHERS)


def list_leftovers(output_dir: Path, kept: set[str], older: set[str]) -> list[Path]:
    """What no finished job owns, and was not there before: folders of failed ones, temporary files, files of other names."""
    left = [path for path in output_dir.iterdir() if path.name not in kept | older]
    for name in kept:
        left += [path for path in (output_dir / name).iterdir() if not path.name.startswith(_OWN_NAMES) or ".tmp" in path.name]
    return sorted(left)


def _runs(context: CheckContext) -> bool:
    return Extractions(context.target).run({"source": context.source, "table": context.table, "row_limit": 1}).is_completed


def _look_at_jobs(context: CheckContext, session: FileSession, temporary: Path) -> None:
    before = {path.name for path in context.output_dir.iterdir()}
    shared = {path for folder in _SHARED if Path(folder).is_dir() for path in Path(folder).iterdir()}
    with ModeWatch(context.output_dir, context.pid) as watch:
        kept = _run_jobs(context, session)
    watch.seen[context.log] = stat.S_IMODE(context.log.stat().st_mode)
    left = list_leftovers(context.output_dir, kept, before)
    for path in left:
        told = _shorten(path, context)
        session.add("a job left something behind", told, f"run an extraction that fails, and look for {told}")
    # A source's own file may lie there as well, and did so before.
    for path in sorted({*watch.held - shared, *temporary.iterdir()}):
        session.add(
            "a temporary file lies in a folder that all may write to", str(path), f"run extractions, and look into {path.parent}"
        )
    for path, mode in find_open_modes(watch.seen):
        told = f"{_shorten(path, context)} had mode {mode:04o}"
        session.add(
            "a file is open to others", told, f"umask {read_umask(context.pid) or 0:03o}, then run extractions until {told}"
        )
    session.remarks.append(f"{len(watch.seen)} entries looked at, {len(left)} left behind")


def _run_jobs(context: CheckContext, session: FileSession) -> set[str]:
    """Jobs that succeed in each format, and jobs that fail before and while rows flow. Returns the folders of the former."""
    extractions, kept = Extractions(context.target), set()
    requests: list[dict[str, object]] = [{"table": context.table, "format": name} for name in _FORMATS]
    requests += [{"table": f"{context.table}_missing"}, {"table": context.table, "columns": ["no_such_column"]}]
    if context.dialect == "postgres":
        # Fails when the server meets a row, after the folder of the job was made.
        requests += [{"query": f"SELECT 1 / (row_number() OVER () - {row}) AS q FROM {context.table}"} for row in (1, 50)]  # noqa: S608 - a name that the host chose
    for request, ending in zip(
        requests, extractions.run_all([{"source": context.source, **each} for each in requests]), strict=True
    ):
        session.meet(ending, f"an extraction of {request}")
        if ending.is_completed and ending.job is not None:
            kept.add(_find_folder(context, ending.job))
    failed = len(requests) - len(kept)
    if not kept or not failed:
        raise InvalidRunError(f"{len(kept)} jobs completed and {failed} failed: files of both kinds have to be seen")
    session.remarks.append(f"{len(kept)} jobs that completed and {failed} that failed")
    return kept


def _find_folder(context: CheckContext, job: Mapping[str, object]) -> str:
    name = job.get("output")
    if not isinstance(name, str) or not (context.output_dir / name).is_dir():
        raise InvalidRunError("a job that ended COMPLETED left no folder in the output folder: is it the target's own?")
    return name


def find_shared_files(pid: int) -> set[Path]:
    """Files with a name that a process holds open in folders for temporary files which all may write to."""
    found: set[Path] = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # A file that is closed meanwhile, or has no name any more, is no harm.
        with contextlib.suppress(OSError):
            name = os.readlink(link)  # noqa: PTH115 - the text of the link, which need not be a path
            path = Path(name)
            if name.startswith(_SHARED) and path.parent.stat().st_mode & stat.S_IWOTH and path.is_file():
                found.add(path)
    return found


def _shorten(path: Path, context: CheckContext) -> str:
    return str(path.relative_to(context.output_dir)) if path.is_relative_to(context.output_dir) else path.name
