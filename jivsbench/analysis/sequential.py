"""One run after another: what their figures say of each other, which is little.

Two runs at different times differ by whatever the machine did meanwhile: of two identical targets, measured one after the
other on a shared machine, rules of thumb called 24 to 82 % different. So there is a ratio and no interval, and a gate that
needs an interval is INCONCLUSIVE.
"""

from collections.abc import Iterator
from typing import Final

from jivsbench.analysis.effects import CONFIDENCE, plain_effect
from jivsbench.analysis.stored import FALSE_ALARMS, Allowance, find_differences
from jivsbench.errors import UsageError
from jivsbench.model.metrics import CATALOGUE
from jivsbench.model.record import Environment, RunRecord
from jivsbench.model.summary import Effect, Summary

_MIB: Final = 1024 * 1024
_SAME_MEMORY_RATIO: Final = 1.1
"""What the same machine reports differs with its kernel and its hypervisor, by a few percent."""
_WEAK = f"one run after another, so without an interval: what the machine did meanwhile is in it ({FALSE_ALARMS})"


def list_sequential_effects(baseline: tuple[RunRecord, Summary], candidate: tuple[RunRecord, Summary]) -> tuple[Effect, ...]:
    """The ratio of every figure that a change can be judged of. Raises UsageError when workload or machine differ."""
    # Another release of a server, of Python or of the kernel is often what the gate is asked about; another machine never is.
    found = find_differences(baseline, candidate)
    differences = [difference.text for difference in found if difference.allowance is not Allowance.MACHINE]
    differences += _compare_machines(baseline[0], candidate[0])
    if differences:
        raise UsageError(
            f"the runs {baseline[0].run_id} and {candidate[0].run_id} cannot be held against each other: {'; '.join(differences)}"
        )
    return tuple(_list_effects(baseline, candidate))


def _list_effects(baseline: tuple[RunRecord, Summary], candidate: tuple[RunRecord, Summary]) -> Iterator[Effect]:
    arms = (baseline[0].plan.candidate, candidate[0].plan.candidate)
    for metric in CATALOGUE:
        for statistic in (*metric.paired, *metric.plain):
            before = baseline[1].figure(arms[0], metric.name, statistic)
            after = candidate[1].figure(arms[1], metric.name, statistic)
            if before is None or after is None:
                continue
            found = plain_effect(before, after)
            method = _WEAK if found.ratio is not None else found.method
            yield Effect(metric.name, statistic, baseline[0].run_id, arms[1], found.ratio, None, None, CONFIDENCE, 0, method)


def _compare_machines(before: RunRecord, after: RunRecord) -> Iterator[str]:
    one, other = before.environment, after.environment
    for name, first, second in (
        ("CPU", one.cpu_model, other.cpu_model),
        ("number of CPUs", one.cpu_count, other.cpu_count),
        ("platform", _name_platform(one), _name_platform(other)),
    ):
        if first != second:
            yield f"the {name} was {first} and is {second}"
    least, most = sorted((one.memory_bytes, other.memory_bytes))
    if most > least * _SAME_MEMORY_RATIO:
        first, second = (round(memory_bytes / _MIB) for memory_bytes in (one.memory_bytes, other.memory_bytes))
        yield f"the memory was {first:,} MiB and is {second:,} MiB"


def _name_platform(environment: Environment) -> str:
    """System and architecture. The kernel's release stands between them, and an update of it makes no other machine."""
    words = environment.platform.split()
    return " ".join(dict.fromkeys((*words[:1], *words[-1:])))
