"""`guards`: the loaded guards as classifiers, on statements of which it is known whether they are hostile."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from jivsbench.analysis.classification import Classification
from jivsbench.api import Guard, GuardRequest, LabelledStatement, StatementSupplier
from jivsbench.errors import GuardRefusedError, InvalidRunError
from jivsbench.extract.guards import review
from jivsbench.model.table import ExtractionRequest
from jivsbench.plugins import Registry


@dataclass(frozen=True, slots=True)
class GuardJudgement:
    """One guard on the statements of one dialect. `wrong` names what it judged otherwise than they are labelled."""

    guard: str
    dialect: str
    classification: Classification
    wrong: tuple[str, ...]
    p50_ms: float
    p95_ms: float


def judge_guards(registry: Registry, dialect: str) -> tuple[GuardJudgement, ...]:
    """Every loaded guard, on all statements that checks supply. Raises InvalidRunError when one of the kinds is missing."""
    statements = tuple(_collect(registry, dialect))
    kinds = {statement.is_hostile for statement in statements}
    if not registry.guards or kinds != {True, False}:
        raise InvalidRunError(
            f"{len(registry.guards)} guards were to be judged on {len(statements)} {dialect} statements, and at least one guard "
            "and both hostile and legitimate statements are needed: install jivsbench-sqlguard and jivsbench-security"
        )
    return tuple(_judge(guard, dialect, statements) for guard in registry.guards)


def _collect(registry: Registry, dialect: str) -> Iterator[LabelledStatement]:
    for check in registry.checks:
        if isinstance(check, StatementSupplier):
            yield from check.statements(dialect)


def _judge(guard: Guard, dialect: str, statements: tuple[LabelledStatement, ...]) -> GuardJudgement:
    counts: dict[tuple[bool, bool], int] = {}
    wrong, times_ms = [], []
    for statement in statements:
        request = GuardRequest(ExtractionRequest("judged", query=statement.sql), dialect, None)
        started_ns = time.perf_counter_ns()
        is_refused = _is_refused(guard, request)
        times_ms.append((time.perf_counter_ns() - started_ns) / 1e6)
        counts[statement.is_hostile, is_refused] = counts.get((statement.is_hostile, is_refused), 0) + 1
        if is_refused is not statement.is_hostile:
            wrong.append(statement.name)
    times_ms.sort()
    classification = Classification(
        hostile_refused=counts.get((True, True), 0),
        hostile_accepted=counts.get((True, False), 0),
        legitimate_refused=counts.get((False, True), 0),
        legitimate_accepted=counts.get((False, False), 0),
    )
    at_p95 = min(len(times_ms) - 1, len(times_ms) * 95 // 100)
    return GuardJudgement(guard.name, dialect, classification, tuple(wrong), times_ms[len(times_ms) // 2], times_ms[at_p95])


def _is_refused(guard: Guard, request: GuardRequest) -> bool:
    """As in an extraction: a guard that breaks refuses."""
    try:
        review((guard,), request)
    except GuardRefusedError:
        return True
    return False
