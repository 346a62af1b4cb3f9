"""Which payload goes to which filter: the plan of SEC-001, the same for the same seed."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench_security.payloads import TECHNIQUES, Payload, Victims, generate_payloads
from jivsbench_security.sql.value_contexts import ValueContext

_FAST_EACH: Final = 2
FULL_PAYLOADS: Final = 5_000
_PLACES: Final = tuple(ValueContext)


@dataclass(frozen=True, slots=True)
class Attack:
    """One payload, sent in one place."""

    payload: Payload
    context: ValueContext


def plan_attacks(victims: Victims, choice: random.Random) -> tuple[Attack, ...]:
    """Every technique in every place, two payloads each: 100 attacks, the techniques taking turns."""
    sources = {technique: generate_payloads(technique, victims, choice) for technique in TECHNIQUES}
    return tuple(
        Attack(next(sources[technique]), context)
        for _round, context, technique in itertools.product(range(_FAST_EACH), ValueContext, TECHNIQUES)
    )


def plan_full_attacks(victims: Victims, choice: random.Random) -> tuple[Attack, ...]:
    """5,000 payloads, each as a text and in one other place."""
    sources = [generate_payloads(technique, victims, choice) for technique in TECHNIQUES]
    payloads = [next(source) for source, _count in zip(itertools.cycle(sources), range(FULL_PAYLOADS), strict=False)]
    others = [context for context in ValueContext if context is not ValueContext.TEXT]
    # Techniques and places take turns at different lengths, or each technique would meet one half of the places only.
    return tuple(
        attack
        for index, payload in enumerate(payloads)
        for attack in (
            Attack(payload, ValueContext.TEXT),
            Attack(payload, others[(index // len(sources)) % len(others)]),
        )
    )


def group_attacks(attacks: Sequence[Attack], size: int) -> Iterator[tuple[Attack, ...]]:
    """Attacks of one place, at most `size` together, in the order of the plan within each place."""
    by_place = sorted(attacks, key=lambda attack: _PLACES.index(attack.context))
    for _place, members in itertools.groupby(by_place, lambda attack: attack.context):
        while group := tuple(itertools.islice(members, size)):
            yield group
