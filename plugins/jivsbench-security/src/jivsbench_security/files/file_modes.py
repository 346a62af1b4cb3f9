"""SEC-013: modes and leftovers. Every file is for its owner alone from its first moment, and failed jobs leave none."""

import os
import select
import stat
import threading
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
from jivsbench_security.hostile_check import HostileCheck

_FORMATS: Final = ("parquet", "arrow", "csv", "jsonl")
_OTHERS: Final = 0o077
_OTHERS_READ: Final = 0o044
_POLL_S: Final = 0.05
_PATIENCE_S: Final = 10.0
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
                context, umask = exits.enter_context(context.launch(changes)), 0
            session = FileSession(self, lambda: _runs(context, context.table))
            session.notes.append(f"umask {umask:03o}")
            return self._attack(context, session, lambda: _look_at_jobs(context, session, temporary))


class ModeWatch:
    """Looks at every entry of a folder, and of those in it, when it is made and when its mode changes; in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="modes", daemon=True)
        self._failure: InvalidRunError | None = None
        self.seen: dict[Path, int] = {}
        """The most open mode that each was seen with."""

    def _run(self) -> None:
        try:
            with FileWatch([self._folder], MADE | CHANGED) as watch:
                self._look_into(watch, self._folder)
                while not self._stop.is_set():
                    select.select([watch], [], [], _POLL_S)
                    for event in watch.events():
                        self._look_at(watch, event.path)
        except InvalidRunError as problem:
            self._failure = problem

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
        for path in folder.iterdir():
            self._look_at(watch, path)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # One more look, for what was made last.
        self._stop.wait(_POLL_S)
        self._stop.set()
        self._thread.join(_PATIENCE_S)
        if self._failure is not None:
            raise self._failure


def read_umask(pid: int) -> int | None:
    """The umask of a process; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1], 8) for line in lines if line.startswith("Umask:")), None)


def find_open_modes(seen: dict[Path, int]) -> list[tuple[Path, int]]:
    """Those that anybody but the owner may do something with."""
    return sorted((path, mode) for path, mode in seen.items() if mode & _OTHERS)


def list_leftovers(output_dir: Path, kept: set[str], older: set[str]) -> list[Path]:
    """What no finished job owns, and was not there before: folders of failed ones, temporary files, files of other names."""
    left = [path for path in output_dir.iterdir() if not path.name.startswith(".") and path.name not in kept | older]
    for name in kept:
        left += [path for path in (output_dir / name).iterdir() if not path.name.startswith(_OWN_NAMES) or ".tmp" in path.name]
    return sorted(left)


def _runs(context: CheckContext, table: str) -> bool:
    return Extractions(context.target).run({"source": context.source, "table": table, "row_limit": 1}).is_completed


def _look_at_jobs(context: CheckContext, session: FileSession, temporary: Path) -> None:
    before = {path.name for path in context.output_dir.iterdir()}
    with ModeWatch(context.output_dir) as watch:
        kept = _run_jobs(context, session)
    watch.seen[context.log] = stat.S_IMODE(context.log.stat().st_mode)
    left = list_leftovers(context.output_dir, kept, before)
    for path in left:
        session.add("a job left something behind", _shorten(path, context), "run an extraction that fails")
    for path in _list_temporary(context.pid, temporary):
        session.add("a temporary file lies in a folder that all may write to", str(path), "run extractions")
    for path, mode in find_open_modes(watch.seen):
        session.add(
            "a file is open to others",
            f"{_shorten(path, context)} had mode {mode:04o}",
            f"umask {read_umask(context.pid) or 0:03o}, then run extractions",
        )
    session.notes.append(f"{len(watch.seen)} entries looked at, {len(left)} left behind")


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
            kept.add(str(ending.job.get("output")))
    failed = len(requests) - len(kept)
    session.notes.append(f"{len(kept)} jobs that completed and {failed} that failed")
    return kept


def _list_temporary(pid: int, temporary: Path) -> list[Path]:
    """Files with a name that the target holds open in folders for temporary files, and what it left in its own such folder."""
    found = list(temporary.iterdir())
    shared = ("/tmp/", "/var/tmp/", "/dev/shm/")  # noqa: S108 - looked at, not written to
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = os.readlink(link)  # noqa: PTH115 - the text of the link, which need not be a path
        except OSError:
            continue
        folder = os.path.dirname(name)  # noqa: PTH120 - as above
        is_shared = name.startswith(shared) and Path(folder).is_dir() and Path(folder).stat().st_mode & stat.S_IWOTH
        if is_shared and Path(name).is_file():
            found.append(Path(name))
    return found


def _shorten(path: Path, context: CheckContext) -> str:
    return str(path.relative_to(context.output_dir)) if path.is_relative_to(context.output_dir) else path.name
