"""The whole of a result against its parts: what lies between them, and what adds up."""

from collections.abc import Iterator, Sequence
from typing import Final

from jivsbench.analysis.bounds import Bounds, add_up
from jivsbench.model.claims import PERCENTILES, Claims, Part, Quantity, Relation, Rule, Stated

_COUNTS: Final = (Quantity.TRIED, Quantity.FAILED, Quantity.SUCCEEDED, Quantity.RECORDS, Quantity.HITS, Quantity.MISSES)


def check_parts(claims: Claims) -> Iterator[Relation]:
    """A figure of the whole lies between those of its parts.

    For a percentile by nearest rank that is exact: below every part's p95 less than 95 % of the whole lie, and from the
    greatest on at least as many. Tools that approximate percentiles get the room that they say they need.
    """
    parts = _parts_with_samples(claims)
    if claims.whole is None or not parts:
        return
    for quantity in (*PERCENTILES, Quantity.MEAN_MS, Quantity.MIN_MS, Quantity.MAX_MS):
        whole, each = claims.whole.get(quantity), _collect(parts, quantity)
        if whole is None or each is None:
            continue
        error_ratio = claims.percentile_error_ratio if quantity in PERCENTILES else 0.0
        least, most = min(each, key=lambda part: part.value), max(each, key=lambda part: part.value)
        between = Bounds(Bounds.of(least).low, Bounds.of(most).high).widen(error_ratio)
        text = f"{_show(whole)} lies between the parts' {least.value:.12g} ({least.name}) and {most.value:.12g} ({most.name})"
        yield Relation(Rule.PARTS, claims.whole.name, text, between.meets(Bounds.of(whole)))
    yield from _check_mean(claims.whole, parts)


def check_sums(claims: Claims) -> Iterator[Relation]:
    """Counts of parts add up to the whole's; succeeded + failed = tried."""
    for part in claims.everything:
        succeeded, failed, tried = (part.get(name) for name in (Quantity.SUCCEEDED, Quantity.FAILED, Quantity.TRIED))
        if succeeded and failed and tried:
            holds = add_up((succeeded, failed)).meets(Bounds.of(tried))
            yield Relation(Rule.SUMS, part.name, _show_sum((succeeded, failed), tried), holds)
    if claims.whole is None or not claims.is_partition:
        return
    for quantity in _COUNTS:
        whole, each = claims.whole.get(quantity), _collect(claims.parts, quantity)
        if whole and each:
            yield Relation(Rule.SUMS, claims.whole.name, _show_sum(each, whole), add_up(each).meets(Bounds.of(whole)))


def _check_mean(whole: Part, parts: Sequence[Part]) -> Iterator[Relation]:
    mean, means, counts = whole.get(Quantity.MEAN_MS), _collect(parts, Quantity.MEAN_MS), _collect(parts, Quantity.TRIED)
    if not (mean and means and counts) or sum(count.value for count in counts) <= 0:
        return
    low = high = middle = 0.0
    for count, part in zip(counts, means, strict=True):
        product = Bounds.of(count).times(Bounds.of(part))
        low, high, middle = low + product.low, high + product.high, middle + count.value * part.value
    found = Bounds(low, high).over(add_up(counts))
    total = sum(count.value for count in counts)
    text = f"the parts' averages weighted by their counts give {middle / total:.6g}, stated is {_show(mean)}"
    yield Relation(Rule.PARTS, whole.name, text, found.meets(Bounds.of(mean)))


def _parts_with_samples(claims: Claims) -> tuple[Part, ...]:
    if not claims.is_partition:
        return ()
    return tuple(part for part in claims.parts if (tried := part.get(Quantity.TRIED)) is None or tried.value > 0)


def _collect(parts: Sequence[Part], quantity: Quantity) -> tuple[Stated, ...] | None:
    """That figure of every part; None when one of them does not state it, for the rest proves nothing."""
    found = [part.get(quantity) for part in parts]
    known = tuple(stated for stated in found if stated is not None)
    return known if known and len(known) == len(found) else None


def _show(stated: Stated) -> str:
    return f"{stated.name} {stated.value:.12g}"


def _show_sum(parts: Sequence[Stated], whole: Stated) -> str:
    shown = " + ".join(f"{part.value:.12g}" for part in parts[:6]) + (" + ..." if len(parts) > 6 else "")  # noqa: PLR2004 - enough to see
    return f"{shown} = {sum(part.value for part in parts):.12g}, stated is {_show(whole)}"
