"""Attacks a target with the security checks that are installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jivsbench.api import CheckContext, SecurityCheck, TargetVariant
from jivsbench.app.progress import Step
from jivsbench.app.servers import Workbench
from jivsbench.app.targets import Target, start_target
from jivsbench.checks.context import HttpCheckContext
from jivsbench.checks.missing_guard import missing_guard_result
from jivsbench.checks.runner import run_checks
from jivsbench.checks.score import score
from jivsbench.model.finding import CheckResult, SecurityScore
from jivsbench.model.profile import Profile


@dataclass(frozen=True, slots=True)
class Security:
    """Which checks a run carries out on the judged target, over which table, and with which corpora."""

    checks: tuple[SecurityCheck, ...] = ()
    table: str = ""
    is_full: bool = False
    seed: int = 0
    corpus: tuple[str, ...] = ()
    """Payloads that the user brought."""


def attack(bench: Workbench, target: Target, security: Security, work: Path, logs: Path) -> tuple[CheckResult, ...]:
    """Run the checks against a running target; their controls get targets of their own."""
    owner = bench.servers.owner

    def context_of(running: Target) -> HttpCheckContext:
        return HttpCheckContext(
            base_url=running.service.base_url,
            token=running.service.admin_token,
            output_dir=running.output_dir,
            connector=bench.registry.connector(owner.connector),
            data_source=owner,
            table=security.table,
            is_full=security.is_full,
            seed=security.seed,
            corpus=security.corpus,
        )

    @contextmanager
    def launch(variant: TargetVariant) -> Iterator[CheckContext]:
        with start_target(bench, target.profile, work, logs / f"control-{variant.name}.log", variant) as control:
            yield context_of(control)

    return run_checks(security.checks, launch, context_of(target), lambda text: bench.listener(Step(text)))


def add_missing_guard(profile: Profile, results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    """The results, with SEC-001 as an open CRITICAL in front when the profile says `guards = []`."""
    return (missing_guard_result(profile), *results) if profile.guards == () else results


def score_results(results: tuple[CheckResult, ...]) -> SecurityScore | None:
    """The score; None when nothing was checked."""
    return score(results) if results else None
