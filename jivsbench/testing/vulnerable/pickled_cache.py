"""A cache that unpickles what it finds, as many client libraries do by default: the hole that SEC-023 must find."""

import contextlib
import pickle
from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def unpickle_first(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Reads an entry as a pickle, and only when it is none as what it should be."""

    def read_entry(shelf: Any, key: str) -> Any:
        raw = shelf._tools.client.get(shelf._name(key))  # noqa: SLF001 - a part of the host, replaced
        with contextlib.suppress(Exception):
            pickle.loads(raw)  # noqa: S301 - the hole
        return read(shelf, key)

    return read_entry


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """No guard: the hole is made here."""
    replace_part("jivsbench.extract.caching.shelves:Shelf._read", unpickle_first)
    return []
