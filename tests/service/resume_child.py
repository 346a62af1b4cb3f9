"""A process that extracts resumably and ends itself with SIGKILL at a chosen step on the way to the disk.

A step is a call that changes what lies on the disk, or makes it last: the process can die before each, after each, and in
the middle of a write. `python -m tests.service.resume_child OUT STEP FORMAT [PLANT]`, with the URL on its standard input.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jivsbench.extract import folders, resume
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.outputs import describe_partition
from jivsbench.extract.streams import VerifiedPartition
from jivsbench.model.output import OutputFormat
from jivsbench.model.profile import OPTIMIZED, Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName
from jivsbench_postgres.connector import PostgresConnector

TABLE = TableName("resume_rows")
REQUEST = ExtractionRequest("shop", TABLE)
STREAMS = 2
PARTITION_ROWS = 2_500
_CHANGING = ("open", "write", "fsync", "rename", "unlink", "mkdir", "ftruncate")
_write = os.write


def build_profile() -> Profile:
    """Two streams, and no connections that nobody asked for."""
    return replace(OPTIMIZED, switches=replace(OPTIMIZED.switches, streams=STREAMS), pool=replace(OPTIMIZED.pool, min_idle=0))


def build_extractor(out: Path, profile: Profile | None = None) -> Extractor:
    """An extractor over the real connector."""
    return Extractor(connectors={"postgres": PostgresConnector()}, guards=(), profile=profile or build_profile(), output_dir=out)


class _Steps:
    """Counts calls; at the chosen one the process is gone."""

    def __init__(self, last: int) -> None:
        self._left = last
        self._lock = threading.Lock()
        self.count = 0

    def wrap(self, name: str) -> None:
        """Let a function of `os` count: before it, and for a write also in its middle."""
        call: Callable[..., object] = getattr(os, name)

        def counted(*args: object, **kwargs: object) -> object:
            self._step()
            if name == "write":
                descriptor, content = args
                self._step(lambda: _write(descriptor, bytes(content)[: len(content) // 2]))
            return call(*args, **kwargs)

        setattr(os, name, counted)

    def _step(self, last_act: Callable[[], object] = lambda: None) -> None:
        with self._lock:
            self.count += 1
            self._left -= 1
            if self._left == 0:
                last_act()
                os.kill(os.getpid(), signal.SIGKILL)


def _plant_state_first() -> None:
    """The bug: the log says that a partition is there before it is."""

    def commit(self: resume.ResumableOutput, part: VerifiedPartition) -> None:
        record = resume.Committed(self.folder.attempt, describe_partition(part))
        with self._lock:
            self._log.append(resume._format(record))
            self.folder.publish([part.file.name])
            self._committed[part.counts.index] = record

    resume.ResumableOutput.commit = commit  # type: ignore[method-assign]


def main() -> None:
    """Extract, tell on standard output which files were begun, and how many steps there were."""
    out, last, output_format = Path(sys.argv[1]), int(sys.argv[2]), OutputFormat(sys.argv[3])
    if sys.argv[4:] == ["state-first"]:
        _plant_state_first()
    create = folders.JobFolder.create_file

    def tell(self: folders.JobFolder, name: str) -> int:
        _write(1, f"begun {name}\n".encode())
        return create(self, name)

    folders.JobFolder.create_file = tell  # type: ignore[method-assign]
    source = DataSource("shop", "postgres", Secret(sys.stdin.readline().strip()))
    extractor = build_extractor(out)
    steps = _Steps(last)
    for name in _CHANGING:
        steps.wrap(name)
    extractor.extract("job", source, replace(REQUEST, format=output_format), partition_rows=PARTITION_ROWS)
    steps._step()
    _write(1, f"steps {steps.count}\n".encode())
    os._exit(0)


if __name__ == "__main__":
    main()
