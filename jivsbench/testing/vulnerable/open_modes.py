"""Makes output files as `open(path, "w")` does, and leaves those of failed jobs behind: the holes that SEC-013 must find."""

import os
from collections.abc import Callable
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def _open_for_all(original: Callable[[Any, str], int]) -> Callable[[Any, str], int]:
    def create_file(folder: Any, name: str) -> int:
        descriptor = original(folder, name)
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(descriptor, 0o666 & ~mask)
        return descriptor

    return create_file


def _leave(_original: object) -> Callable[[Any], None]:
    return lambda folder: folder.close()


@hookimpl
def jivsbench_register_connectors() -> list[Connector]:
    """Offer nothing, and spoil how the folder of a job is filled and cleared."""
    replace_part("jivsbench.extract.folders:JobFolder.create_file", _open_for_all)
    replace_part("jivsbench.extract.folders:JobFolder.remove", _leave)
    return []
