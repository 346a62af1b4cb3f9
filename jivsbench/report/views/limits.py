"""How the limit of a gate is shown."""

from typing import Final

from jivsbench.model.formatting import format_limit
from jivsbench.model.gate import Comparator, Gate

_SIGNS: Final = {
    Comparator.LESS: "<",
    Comparator.LESS_OR_EQUAL: "\N{LESS-THAN OR EQUAL TO}",
    Comparator.GREATER: ">",
    Comparator.GREATER_OR_EQUAL: "\N{GREATER-THAN OR EQUAL TO}",
}


def describe_limit(gate: Gate) -> str:
    """The comparison and the limit, which is never rounded."""
    return f"{_SIGNS[gate.comparator]} {format_limit(gate.limit, gate.unit)}"
