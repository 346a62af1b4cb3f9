"""The audit's rules: which relations the stated figures of a result must have, and whether they have them.

Every rule yields one relation for each pair of figures that it can compare, with the arithmetic in words. A rule whose
figures the file does not state yields nothing, which is reported as "not stated" and never as "consistent".
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from jivsbench.analysis.bounds import Bounds, add_up, find_ends
from jivsbench.analysis.partitions import check_parts, check_sums
from jivsbench.model.claims import PERCENTILES, RATIOS, Audit, Claims, Part, Quantity, Relation, Rule, Stated, Workload

_RATES: Final = (
    (Quantity.RECORDS, Quantity.RECORDS_PER_S),
    (Quantity.TRIED, Quantity.TRIED_PER_S),
    (Quantity.FAILED, Quantity.FAILED_PER_S),
)
_HUNDRED: Final = Bounds(100.0, 100.0)
_ONE: Final = Bounds(1.0, 1.0)
# A window of finite length cuts operations off at both of its ends, and a mean in flight is itself sampled.
_LITTLE_RATIO: Final = 0.1
_MARKS: Final = (
    "simulated",
    "estimated",
    "mock",
    "made up",
    "made-up",
    "fake",
    "synthetic",
    "placeholder",
    "hard-coded",
    "assumed",
)


def audit_claims(claims: Claims) -> Audit:
    """Try every relation that the figures of one file have."""
    relations = [relation for rule in _RULES for part in claims.everything for relation in rule(part)]
    relations += [*check_parts(claims), *check_sums(claims), *_check_criteria(claims), *_check_provenance(claims)]
    if claims.is_comparison:
        for one, other in pairwise(claims.workloads):
            relations += compare_workload(one, other)
    return Audit(claims.format, tuple(relations))


def compare_workloads(first: Claims, second: Claims) -> Iterator[Relation]:
    """Rule 10: two results that are compared must come from the same workload."""
    for one in first.workloads:
        for other in second.workloads:
            yield from compare_workload(one, other)


def compare_workload(one: Workload, other: Workload) -> Iterator[Relation]:
    """Each setting that both results state."""
    theirs = dict(other.settings)
    for key, value in one.settings:
        if key in theirs:
            text = f"{key} is {value} in {one.name} and {theirs[key]} in {other.name}"
            yield Relation(Rule.WORKLOAD, f"{one.name} against {other.name}", text, value == theirs[key])


def find_mark(text: str) -> str | None:
    """The word by which a text says that its figures were not measured; None without one.

    >>> find_mark("Simulated by script"), find_mark("measured by k6")
    ('simulated', None)
    """
    folded = text.casefold().replace("_", " ")
    return next((mark for mark in _MARKS if mark in folded), None)


def show(stated: Stated) -> str:
    """A figure with its name, as it stands in the file."""
    value = stated.value * 100 if stated.is_percent else stated.value
    return f"{stated.name} {value:.12g}{' %' if stated.is_percent else ''}"


def _check_rates(part: Part) -> Iterator[Relation]:
    duration = part.get(Quantity.DURATION_S)
    for counted, per_s in _RATES:
        count, rate = part.get(counted), part.get(per_s)
        if count and rate and duration and duration.value > 0 and duration.implied_by != (count, rate):
            found = Bounds.of(count).over(Bounds.of(duration))
            per_second = count.value / duration.value
            text = (
                f"{show(count)} / {show(duration)} s = {per_second:.6g} per s ({per_second * 60:.6g} per min),"
                f" stated is {show(rate)} per s ({rate.value * 60:.6g} per min)"
            )
            yield Relation(Rule.RATE, part.name, text, found.meets(Bounds.of(rate)))


def _check_errors(part: Part) -> Iterator[Relation]:
    failed, tried, ratio = part.get(Quantity.FAILED), part.get(Quantity.TRIED), _get_ratio(part, Quantity.ERROR_RATIO)
    if failed and tried:
        if failed not in (tried.implied_by or ()):
            text = f"{show(failed)} of {show(tried)}: no more can fail than were tried"
            yield Relation(Rule.SUMS, part.name, text, _at_most(failed, tried))
        if ratio and tried.value > 0:
            yield _check_share(Rule.ERROR_RATIO, part, (failed, tried), ratio)


def _get_ratio(part: Part, quantity: Quantity) -> Stated | None:
    """The stated ratio; None also of one so rounded that every ratio lies within it, such as a fraction written `0` or `1`."""
    ratio = part.get(quantity)
    return None if ratio and Bounds.of(ratio).low <= 0 and ratio.value + ratio.slack >= 1 else ratio


def _check_share(rule: Rule, part: Part, shares: tuple[Stated, Stated], ratio: Stated) -> Relation:
    """One share of a whole against its stated ratio; off by exactly a hundred is a mix-up of percent and fraction."""
    found, stated = Bounds.of(shares[0]).over(Bounds.of(shares[1])), Bounds.of(ratio)
    text = (
        f"{show(shares[0])} / {show(shares[1])} = {shares[0].value / shares[1].value:.6g}"
        f" ({shares[0].value * 100 / shares[1].value:.6g} %), stated is {show(ratio)}"
    )
    if found.meets(stated):
        return Relation(rule, part.name, text, holds=True)
    is_mixed = found.high > 0 and (found.times(_HUNDRED).meets(stated) or found.over(_HUNDRED).meets(stated))
    return Relation(Rule.PERCENT if is_mixed else rule, part.name, text, holds=False)


def _check_batches(part: Part) -> Iterator[Relation]:
    batches, size, records = (part.get(name) for name in (Quantity.BATCHES, Quantity.BATCH_SIZE, Quantity.RECORDS))
    if batches and size and records:
        count, each = Bounds.of(batches), Bounds.of(size)
        # The last batch of every extraction may be short; without their number there is one.
        tried = part.get(Quantity.TRIED)
        short = Bounds.of(tried).high if tried else 1.0
        possible = Bounds(max(count.low - short, 0.0) * each.low, count.times(each).high)
        product = batches.value * size.value
        text = f"{show(batches)} x {show(size)} = {product:.12g}, stated is {show(records)}"
        yield Relation(Rule.BATCHES, part.name, text, possible.meets(Bounds.of(records)))


def _check_polls(part: Part) -> Iterator[Relation]:
    polls, interval = part.get(Quantity.POLLS), part.get(Quantity.POLL_INTERVAL_S)
    duration = part.get(Quantity.DURATION_S)
    if polls and interval and duration:
        count, each = Bounds.of(polls), Bounds.of(interval)
        # Polls may begin or end with half an interval: one more or one less is no contradiction.
        possible = Bounds(max(count.low - 1, 0.0), count.high + 1).times(each)
        product = polls.value * interval.value
        text = f"{show(polls)} x {show(interval)} s = {product:.6g} s, stated is {show(duration)} s"
        yield Relation(Rule.POLLS, part.name, text, possible.meets(Bounds.of(duration)))


def _check_connections(part: Part) -> Iterator[Relation]:
    active = part.get(Quantity.ACTIVE_CONNECTIONS)
    for bound in (part.get(Quantity.USERS), part.get(Quantity.POOL_SIZE)):
        if active and bound:
            yield Relation(Rule.CONNECTIONS, part.name, f"{show(active)}, at most {show(bound)} can be", _at_most(active, bound))


def _check_lookups(part: Part) -> Iterator[Relation]:
    hits, misses = part.get(Quantity.HITS), part.get(Quantity.MISSES)
    lookups, ratio = part.get(Quantity.LOOKUPS), _get_ratio(part, Quantity.HIT_RATIO)
    if hits and misses and lookups:
        text = f"{show(hits)} + {show(misses)} = {hits.value + misses.value:.12g}, stated is {show(lookups)}"
        yield Relation(Rule.LOOKUPS, part.name, text, add_up((hits, misses)).meets(Bounds.of(lookups)))
    if hits and misses and not lookups:
        lookups = Stated(f"{hits.name} + {misses.name}", hits.value + misses.value, hits.slack + misses.slack)
    if hits and lookups and ratio and lookups.value > 0:
        yield _check_share(Rule.LOOKUPS, part, (hits, lookups), ratio)


def _check_little(part: Part) -> Iterator[Relation]:
    tried, mean, duration = (part.get(name) for name in (Quantity.TRIED, Quantity.MEAN_MS, Quantity.DURATION_S))
    busy = part.get(Quantity.BUSY_S)
    if busy is None and tried and mean:
        busy = Stated(
            f"{tried.name} x {mean.name}",
            tried.value * mean.value / 1000,
            (tried.slack * mean.value + tried.value * mean.slack + tried.slack * mean.slack) / 1000,
        )
    if busy is None or duration is None or duration.value <= 0:
        return
    found = Bounds.of(busy).over(Bounds.of(duration))
    text = f"{show(busy)} s / {show(duration)} s = {busy.value / duration.value:.6g} operations in flight"
    concurrency, users = part.get(Quantity.CONCURRENCY), part.get(Quantity.USERS)
    if concurrency:
        near = found.widen(_LITTLE_RATIO).meets(Bounds.of(concurrency))
        yield Relation(Rule.LITTLE, part.name, f"{text}, stated is {show(concurrency)}", near)
    if users:
        # Whoever was in flight when the window opened brings the time before it along, once for each user.
        longest = part.get(Quantity.MAX_MS) or mean
        edge = 1 + (longest.value + longest.slack) / 1000 / duration.value if longest else 1 + _LITTLE_RATIO
        most = Bounds.of(users).times(Bounds(edge, edge))
        yield Relation(Rule.LITTLE, part.name, f"{text}, at most {show(users)} can be", found.may_be_at_most(most))


def _check_order(part: Part) -> Iterator[Relation]:
    ladder = (Quantity.MIN_MS, *PERCENTILES, Quantity.MAX_MS)
    known = [stated for name in ladder if (stated := part.get(name))]
    for lower, higher in pairwise(known):
        yield Relation(Rule.PARTS, part.name, f"{show(lower)} <= {show(higher)}", _at_most(lower, higher))
    mean, least, most = (part.get(name) for name in (Quantity.MEAN_MS, Quantity.MIN_MS, Quantity.MAX_MS))
    for end, other in ((least, mean), (mean, most)):
        if end and other:
            yield Relation(Rule.PARTS, part.name, f"{show(end)} <= {show(other)}", _at_most(end, other))


def _check_fractions(part: Part) -> Iterator[Relation]:
    for quantity in RATIOS:
        ratio = _get_ratio(part, quantity)
        if ratio:
            text = f"{show(ratio)}: {'at most 100 %' if ratio.is_percent else 'a fraction is at most 1'}"
            yield Relation(Rule.PERCENT, part.name, text, Bounds.of(ratio).may_be_at_most(_ONE))


def _check_criteria(claims: Claims) -> Iterator[Relation]:
    for criterion in claims.criteria:
        holds = criterion.comparator.holds
        # Some value and some limit within what was written must give the stated end.
        ends = {holds(value, limit) for value in find_ends(criterion.value) for limit in find_ends(criterion.limit)}
        said = "met" if criterion.is_met else "missed"
        text = f"{show(criterion.value)} {criterion.comparator} {show(criterion.limit)} is said to be {said}"
        yield Relation(Rule.MET, criterion.text, text, criterion.is_met in ends)


def _check_provenance(claims: Claims) -> Iterator[Relation]:
    for place in claims.marks:
        yield Relation(Rule.PROVENANCE, place, f"the file itself says '{find_mark(place) or place}' here", holds=False)
    for part in claims.everything:
        for _, stated in part.figures:
            if stated.provenance is None and not claims.needs_provenance:
                continue
            mark = find_mark(stated.provenance or "")
            if not stated.provenance:
                yield Relation(Rule.PROVENANCE, part.name, f"{show(stated)}: nothing says where it comes from", holds=False)
            else:
                text = f"{show(stated)}: {stated.provenance}"
                yield Relation(Rule.PROVENANCE, part.name, text, holds=mark is None)


def _at_most(lower: Stated, higher: Stated) -> bool:
    return Bounds.of(lower).may_be_at_most(Bounds.of(higher))


_RULES: Final[tuple[Callable[[Part], Iterator[Relation]], ...]] = (
    _check_rates,
    _check_order,
    _check_errors,
    _check_batches,
    _check_polls,
    _check_connections,
    _check_lookups,
    _check_little,
    _check_fractions,
)
