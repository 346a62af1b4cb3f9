"""Keeps the disk from filling while a load runs: a target's finished outputs are removed once they are old enough."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

KEPT_S: Final = 15.0
_PERIOD_S: Final = 1.0


@contextmanager
def remove_old_outputs(list_folders: Callable[[], Sequence[Path]]) -> Iterator[None]:
    """While the block runs, remove job folders older than KEPT_S from the output folders. Every profile is treated alike."""
    stopped = threading.Event()

    def sweep() -> None:
        while not stopped.wait(_PERIOD_S):
            for folder in list_folders():
                _remove_older_than(folder, time.time() - KEPT_S)

    thread = threading.Thread(target=sweep, name="remove-old-outputs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(10)


def _remove_older_than(folder: Path, moment_s: float) -> None:
    try:
        jobs = list(folder.iterdir())
    except FileNotFoundError:
        return
    for job in jobs:
        try:
            # Only a finished job has a manifest; the job store may live in the same folder.
            is_old = (job / "manifest.json").stat().st_mtime < moment_s
        except (FileNotFoundError, NotADirectoryError):
            continue
        if is_old:
            shutil.rmtree(job, ignore_errors=True)
