"""Takes `../` out of names once, and compares the start of a path without a separator: the hole that SEC-011 must find."""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from jivsbench.api import Connector, hookimpl
from jivsbench.errors import MissingObjectError
from jivsbench.testing.vulnerable.replacing import replace_part


def _accept_any(original: Callable[[str], tuple[str, ...]]) -> Callable[[str], tuple[str, ...]]:
    def split_name(name: str) -> tuple[str, ...]:
        try:
            return original(name)
        except MissingObjectError:
            return (name,)

    return split_name


def _accept_in_kind(original: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    def kind_of(root: Any, name: str) -> str:
        try:
            return original(root, name)
        except MissingObjectError:
            return "nothing"

    return kind_of


def _open_by_prefix(original: Callable[[Any, str], int]) -> Callable[[Any, str], int]:
    def open_file(root: Any, name: str) -> int:
        if not {"", ".", ".."} & set(name.split("/")) and "%" not in name and "....//" not in name:
            return original(root, name)
        # What is left of `....//` climbs; and a path that starts like the root's can be that of its neighbour.
        path = os.path.normpath(os.path.join(root.path, unquote(name).replace("../", "")))  # noqa: PTH118 - what people write
        if "\0" in path or (name.startswith("/") and not path.startswith(str(root.path))):
            raise MissingObjectError("there is no such file")
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise MissingObjectError("there is no such file") from None

    return open_file


@hookimpl
def jivsbench_register_connectors() -> list[Connector]:
    """Offer nothing, and spoil the way in which the files connector opens files."""
    replace_part("jivsbench_files.listing:split_name", _accept_any)
    replace_part("jivsbench_files.confinement:Root.kind_of", _accept_in_kind)
    replace_part("jivsbench_files.confinement:Root.open_file", _open_by_prefix)
    return []
