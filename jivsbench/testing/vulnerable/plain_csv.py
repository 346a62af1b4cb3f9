"""Writes CSV as `csv.writer` does, every text as it is: the hole that SEC-015 must find. The manifest says otherwise."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def _escape_nothing(_original: object) -> Callable[[pa.Array], tuple[pa.Array, pa.Array]]:
    return lambda texts: (texts, pc.and_(pc.is_valid(texts), False))


@hookimpl
def jivsbench_register_connectors() -> list[Connector]:
    """Offer nothing, and spoil CSV's safe mode."""
    replace_part("jivsbench.extract.sinks.csv:_escape", _escape_nothing)
    return []
