"""How the comparison of a gate is shown."""

from typing import Final

from jivsbench.model.gate import Comparator

SIGNS: Final = {
    Comparator.LESS: "<",
    Comparator.LESS_OR_EQUAL: "\N{LESS-THAN OR EQUAL TO}",
    Comparator.GREATER: ">",
    Comparator.GREATER_OR_EQUAL: "\N{GREATER-THAN OR EQUAL TO}",
}
