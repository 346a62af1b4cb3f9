"""Looks where a path leads and opens it afterwards, and takes any folder for a job's own: the holes that SEC-012 must find."""

import os
import time
from collections.abc import Callable
from typing import Any, Final

from jivsbench.api import Connector, hookimpl
from jivsbench.errors import AccessDeniedError
from jivsbench.testing.vulnerable.replacing import replace_part

_BUSY_DISK_S: Final = 0.0003


def _open_after_look(original: Callable[..., int]) -> Callable[..., int]:
    def open_part(root: Any, folder: int, part: str, name: str, flags: int) -> int:
        # The whole name is looked at and then opened: between the two it can become another.
        if flags & os.O_DIRECTORY and not os.path.realpath(root.path / name).startswith(f"{os.path.realpath(root.path)}/"):
            raise AccessDeniedError("the path leads out of the source's folder")
        # As long as a busy disk takes, so that finding the hole is no matter of luck.
        time.sleep(_BUSY_DISK_S)
        return original(root, folder, part, name, flags & ~os.O_NOFOLLOW)

    return open_part


def _follow(_original: object) -> Callable[..., os.stat_result]:
    def stat(_root: Any, folder: int, part: str, _name: str) -> os.stat_result:
        return os.stat(part, dir_fd=folder)

    return stat


def _open_any(original: Callable[..., Any]) -> Callable[..., Any]:
    def open_own(path: str, name: str, parent: int) -> Any:
        real = os.path.realpath(path)
        if real == os.path.abspath(path):  # noqa: PTH100 - texts, as the original has them
            return original(path, name, parent)
        above = os.open(os.path.dirname(real), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: PTH120 - as above
        try:
            return original(real, os.path.basename(real), above)  # noqa: PTH119 - as above
        finally:
            os.close(above)

    return open_own


@hookimpl
def jivsbench_register_connectors() -> list[Connector]:
    """Offer nothing, and spoil how files of sources and folders of jobs are opened."""
    replace_part("jivsbench_files.confinement:Root._open_part", _open_after_look)
    replace_part("jivsbench_files.confinement:Root._stat", _follow)
    replace_part("jivsbench.extract.folders:_open_own", _open_any)
    return []
