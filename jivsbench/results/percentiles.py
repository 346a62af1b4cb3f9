"""Percentiles of tools that interpolate or round the rank: what those of a whole can be, as far as its parts' tell.

By nearest rank the percentile of a whole lies between those of its parts. Another way to pick it moves the rank by one in every
part and in the whole, and across a gap between two samples one rank is any distance: of two requests with 10 fast samples and a
slow one, JMeter's 90 % of each is nearer to the slow one than that of both together. So a percentile is held against another one
of the parts, so far below or above that the ranks cannot change places.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from jivsbench.model.claims import PERCENTILES, Claims, Part, Quantity, Stated
from jivsbench.results.written import build_part

_SHARES: Final = dict(zip(PERCENTILES, (0.50, 0.75, 0.90, 0.95, 0.99), strict=True))
_LADDER: Final = (Quantity.MIN_MS, *PERCENTILES, Quantity.MAX_MS)
_RANKS_OF_WHOLE: Final = 2
"""By so many ranks the percentile of the whole may be off, and by one that of each part."""


def drop_percentiles(whole: Part) -> Part:
    """The whole without the figures that are held against its parts here."""
    return Part(whole.name, tuple(known for known in whole.figures if known[0] not in _SHARES))


def hold_percentiles(name: str, whole: Part, parts: Sequence[Part], error_ratio: float = 0.0) -> Iterator[Claims]:
    """That the whole's percentiles rise, and each beside the nearest that the parts set bounds with. `name` is the format's."""
    if drop_percentiles(whole) == whole:
        return
    yield Claims(name, None, (build_part(whole.name, [(quantity, whole.get(quantity)) for quantity in _LADDER]),))
    tried = whole.get(Quantity.TRIED)
    counted = [part for part in parts if (count := part.get(Quantity.TRIED)) is None or count.value > 0]
    if tried is None or tried.value <= 0 or not counted:
        return
    # The only part is the whole itself, with the very same figures where these are exact.
    is_same = len(counted) == 1 and not error_ratio
    apart_ratio = 0.0 if is_same else (len(counted) + _RANKS_OF_WHOLE) / tried.value
    for quantity, share in _SHARES.items():
        stated = whole.get(quantity)
        if stated is None:
            continue
        below = [known for known, other in _SHARES.items() if share - other >= apart_ratio]
        above = [known for known, other in _SHARES.items() if other - share >= apart_ratio]
        bounds = (
            (Quantity.MIN_MS, _find_end(counted, reversed(below), error_ratio, is_upper=False)),
            (Quantity.P50_MS, stated),
            (Quantity.MAX_MS, _find_end(counted, iter(above), error_ratio, is_upper=True)),
        )
        yield Claims(name, None, (build_part(f"{whole.name}, {stated.name}", bounds),))


def _find_end(parts: Sequence[Part], levels: Iterator[Quantity], error_ratio: float, *, is_upper: bool) -> Stated | None:
    """The least or the greatest of the first of these percentiles that every part states."""
    for quantity in levels:
        each = [(stated, part.name) for part in parts if (stated := part.get(quantity)) is not None]
        if len(each) == len(parts):
            stated, name = sorted(each, key=lambda known: known[0].value, reverse=is_upper)[0]
            return replace(stated, name=f"{stated.name} of {name}", slack=stated.slack + stated.value * error_ratio)
    return None
