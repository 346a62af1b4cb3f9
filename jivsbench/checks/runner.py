"""Runs checks, and believes none that has not just failed against a target with a hole and passed against one without.

"All attacks were blocked" reads the same when the database was down, when the check crashed, and when it attacked
nothing. So before the target under test come two controls for each check, and every PASS needs attacks that reached the
target between two harmless requests that succeeded. Whatever falls short ends INVALID, which is never green.

A check that crashes in a control is broken: INVALID. One that got through both and crashes on the target has met something
that neither the hardened reference nor a hole did to it: FAIL, unless it was the source or the cache that went away, or another
target that this machine could not start in time: then nothing was measured, INVALID.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Final

from jivsbench.api import CheckContext, InstallationCheck, SecurityCheck, TargetVariant
from jivsbench.checks.crash import describe_crash, find_dead_server
from jivsbench.errors import (
    CacheUnreachableError,
    EmbeddedServerError,
    EnvironmentProblem,
    InvalidRunError,
    OutputError,
    PortInUseError,
    SourceUnreachableError,
)
from jivsbench.model.finding import CheckOutcome, CheckResult

HARDENED: Final = TargetVariant("hardened", guards=("sqlguard",), cache_server="confined")
"""The reference that every check must pass. Its guard is named, so that a profile without guards cannot weaken it, and its cache
server is not the user's, which may be open to everybody."""
_SHARED: Final = "shared-"
Launch = Callable[[TargetVariant], AbstractContextManager[CheckContext]]
_SURROUNDINGS: Final = (SourceUnreachableError, CacheUnreachableError, EmbeddedServerError, PortInUseError, OutputError)
"""What speaks of this machine and its servers. The other environment problems may be what an attack brought about."""

_log = logging.getLogger(__name__)


def run_checks(
    checks: Sequence[SecurityCheck],
    launch: Launch,
    target: CheckContext,
    on_progress: Callable[[str], None] = lambda _text: None,
) -> tuple[CheckResult, ...]:
    """One result a check, in order. `launch` starts the targets of the controls; checks whose variants get along share one."""
    broken: dict[str, CheckResult] = {}
    for variant, against in share_controls(checks):
        broken |= _Control(variant, CheckOutcome.FAIL).run(against, launch, on_progress)
    sound = [check for check in checks if check.id not in broken]
    if sound:
        broken |= _Control(build_reference(sound), CheckOutcome.PASS).run(sound, launch, on_progress)
    return tuple(broken.get(check.id) or _attack(check, target, on_progress) for check in checks)


def build_reference(checks: Sequence[SecurityCheck]) -> TargetVariant:
    """The hardened reference, over an installation that is sound in what these checks look at."""
    sound = [place for check in checks if isinstance(check, InstallationCheck) for place in check.sound_installations]
    return replace(HARDENED, installations=tuple(dict.fromkeys(sound)))


def share_controls(checks: Sequence[SecurityCheck]) -> list[tuple[TargetVariant, list[SecurityCheck]]]:
    """As few targets as hold every hole: a start costs more than most checks. A variant that must be alone is."""
    shared: list[tuple[TargetVariant, list[SecurityCheck]]] = []
    for check in checks:
        for place, (variant, members) in enumerate(shared):
            joined = join_variants(variant, check.vulnerable)
            if joined is not None:
                shared[place] = (joined, [*members, check])
                break
        else:
            shared.append((check.vulnerable, [check]))
    return shared


def join_variants(left: TargetVariant, right: TargetVariant) -> TargetVariant | None:
    """One target with the holes of both; None when they ask for different parts, or one of them for a target of its own."""
    if left.is_alone or right.is_alone:
        return None
    if left == right:
        return left
    replaced = ((left.guards, right.guards), (left.connector, right.connector), (left.cache, right.cache))
    servers = (left.cache_server, right.cache_server)
    if any(None not in pair and pair[0] != pair[1] for pair in (*replaced, servers)):
        return None
    return TargetVariant(
        left.name if left.name.startswith(_SHARED) else f"{_SHARED}{left.name}",
        plugins=tuple(dict.fromkeys((*left.plugins, *right.plugins))),
        guards=right.guards if left.guards is None else left.guards,
        connector=left.connector or right.connector,
        cache=left.cache or right.cache,
        installations=tuple(dict.fromkeys((*left.installations, *right.installations))),
        cache_server=left.cache_server or right.cache_server,
        is_unlocked=left.is_unlocked or right.is_unlocked,
    )


@dataclass(frozen=True, slots=True)
class _Control:
    """A target on which the outcome of a check is known beforehand."""

    variant: TargetVariant
    expected: CheckOutcome

    def run(self, checks: Sequence[SecurityCheck], launch: Launch, on_progress: Callable[[str], None]) -> dict[str, CheckResult]:
        """Results, by id, of the checks that are not to attack the target: their control ended otherwise than expected."""
        name = self.variant.name
        on_progress(f"starting the control target: {name}")
        broken: dict[str, CheckResult] = {}
        with ExitStack() as stack:
            try:
                context = stack.enter_context(launch(self.variant))
            except Exception as problem:  # noqa: BLE001 - plugins run in there; the checks end INVALID, not the run
                _log.warning("the control target %s did not start (%s)", name, type(problem).__name__)
                reason = f"its control target {name!r} did not start: {type(problem).__name__}"
                return {check.id: invalid_result(check, reason) for check in checks}
            for check in checks:
                on_progress(f"{check.id} against {name}: must end {self.expected.value}")
                result = run_check(check, context)
                if result.outcome in (CheckOutcome.NOT_TESTED, CheckOutcome.NOT_APPLICABLE):
                    # The check works and says that it cannot work here; that is an answer about the target too.
                    broken[check.id] = result
                elif result.outcome is not self.expected:
                    # Of a hole where none should be, whoever mends the check must see what it took for one.
                    found = "".join(f"; it found: {finding.title}: {finding.evidence}" for finding in result.findings[:1])
                    told = f"{result.reason}{found}"
                    reason = f"its control {name!r} ended {result.outcome.value} instead of {self.expected.value}: {told}"
                    broken[check.id] = invalid_result(check, reason, result)
        return broken


def _attack(check: SecurityCheck, target: CheckContext, on_progress: Callable[[str], None]) -> CheckResult:
    on_progress(f"{check.id}: {check.title}")
    return run_check(check, target, judge_crash=lambda problem: _judge_crash(check, target, problem))


def run_check(
    check: SecurityCheck, context: CheckContext, judge_crash: Callable[[Exception], CheckResult] | None = None
) -> CheckResult:
    """Run one check against one target, timed, without controls; a crash or missing evidence of work becomes INVALID.

    `judge_crash` says what a crash means on this target, if it means anything else.
    """
    started = time.monotonic()
    try:
        result = check.run(context)
        shortfall = find_shortfall(result)
        if shortfall is not None:
            result = invalid_result(check, shortfall, result)
    except InvalidRunError as problem:
        result = invalid_result(check, str(problem))
    except Exception as problem:  # noqa: BLE001 - a plugin's code; it becomes FAIL or INVALID, never silence
        # Nor in the log, which a terminal shows: the message may hold what the check sent or read. Class and place say enough.
        _log.warning("check %s crashed (%s)", check.id, type(problem).__name__)
        if _is_of_the_surroundings(problem):
            reason = f"a server or another target that the check needs was not there: {type(problem).__name__}"
            result = invalid_result(check, reason)
        elif judge_crash is None:
            result = invalid_result(check, f"the check crashed: {type(problem).__name__}")
        else:
            result = judge_crash(problem)
    return replace(result, duration_s=time.monotonic() - started)


def _is_of_the_surroundings(problem: Exception) -> bool:
    # The class itself, without more to say, is raised for a target that stays silent or ends while it starts.
    return type(problem) is EnvironmentProblem or isinstance(problem, _SURROUNDINGS)


def _judge_crash(check: SecurityCheck, target: CheckContext, problem: Exception) -> CheckResult:
    """FAIL for a crash on a target whose servers still answer."""
    dead = find_dead_server(target)
    if dead is not None:
        return invalid_result(check, f"the check crashed: {type(problem).__name__}, and {dead}")
    finding = describe_crash(check, target, problem)
    reason = f"the check crashed on the target: {finding.evidence}"
    failed = CheckResult(check.id, check.title, check.severity, CheckOutcome.FAIL, reason, findings=(finding,))
    return replace(failed, seed=target.seed, cwe=tuple(getattr(check, "cwe", ())))


def find_shortfall(result: CheckResult) -> str | None:
    """Why a PASS or FAIL cannot be believed; None when it can.

    A FAIL needs no harmless request afterwards: the hole that it shows may be what broke the target.
    """
    if result.outcome not in (CheckOutcome.PASS, CheckOutcome.FAIL):
        return None
    if result.benign_before < 1:
        return f"no harmless request succeeded before the attacks, so nothing was tested ({result.reason})"
    if result.attempted < 1 or result.reached < 1:
        return f"none of {result.attempted} attacks reached the target, so nothing was tested ({result.reason})"
    if result.outcome is CheckOutcome.PASS and result.benign_after < 1:
        return f"no harmless request succeeded after the attacks, so the target was not working ({result.reason})"
    if result.outcome is CheckOutcome.FAIL and not result.findings:
        return "the check failed without naming a finding"
    return None


def invalid_result(check: SecurityCheck, reason: str, seen: CheckResult | None = None) -> CheckResult:
    """The check says nothing about the target, and why; the counters of what was seen are kept."""
    if seen is not None:
        return replace(
            seen,
            check_id=check.id,
            title=check.title,
            severity=check.severity,
            outcome=CheckOutcome.INVALID,
            reason=reason,
            findings=(),
        )
    return CheckResult(check.id, check.title, check.severity, CheckOutcome.INVALID, reason)
