"""SEC-031: installed distributions against the advisories that the user brings. Without any, nothing is said of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from packaging.version import InvalidVersion

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.model.finding import Finding, Severity
from jivsbench_security.inspection import InspectingCheck, Inspection
from jivsbench_security.supply_chain.advisories import AdvisoryBase, Match, read_advisories
from jivsbench_security.supply_chain.distributions import Distribution, list_distributions

OLDEST: Final = timedelta(days=7)
_AHEAD: Final = timedelta(days=1)
_SEVERE: Final = Severity.HIGH.weight
_PLANTS: Final = "jivsbench.testing.vulnerable.known_holes"


class KnownHolesCheck(InspectingCheck):
    """Looks up every installed distribution. HIGH and worse with a fix is a finding, and so is what states no severity."""

    id = "SEC-031"
    title = "No installed distribution has an advisory of severity HIGH or worse for which there is a fix"
    severity = Severity.HIGH
    cwe = ("CWE-1395", "CWE-1104")
    # An environment with a version from before a fix.
    vulnerable = TargetVariant("vulnerable-dependency", installations=(f"{_PLANTS}:plant_affected",))
    sound_installations = (f"{_PLANTS}:plant_fixed",)

    def _inspect(self, context: CheckContext) -> Inspection:
        place = context.installation
        if not place.advisories:
            return _leave_out("no advisories were given: name a file, folder or zip in the OSV format with --advisories")
        try:
            base = read_advisories(place.advisories)
        except (OSError, ValueError) as problem:
            return _leave_out(f"the advisories cannot be read ({type(problem).__name__}): they must be in the OSV format")
        stale = judge_age(base, datetime.now(UTC))
        if stale is not None:
            return _leave_out(stale)
        found = list_distributions(place.packages)
        if not found:
            return _leave_out("no installed distribution was found: the target is not installed as a package")
        try:
            return self._look_up(base, found)
        except (AttributeError, TypeError, KeyError) as problem:
            return _leave_out(f"an advisory cannot be read ({type(problem).__name__}): they must be in the OSV format")

    def _look_up(self, base: AdvisoryBase, found: Sequence[Distribution]) -> Inspection:
        matches: list[Match] = []
        unmatched = []
        for one in found:
            try:
                matches += base.match(one.name, one.version)
            except InvalidVersion:
                unmatched.append(f"{one.name} {one.version}")
        named = sum(base.has(one.name) for one in found)
        if not named:
            return _leave_out(
                f"none of {base.count} advisories is about anything installed: give those of the whole ecosystem PyPI"
            )
        severe = [one for one in matches if is_severe(one)]
        rest = sorted(f"{one.advisory} ({one.name} {one.version})" for one in matches if not is_severe(one))
        return Inspection(
            attempted=len(found),
            reached=len(found) - len(unmatched),
            reason=f"{len(found)} distributions looked up in {base.count} advisories, the youngest of {base.newest:%Y-%m-%d}: "
            f"{named} are named in any, {len(severe)} are affected by HIGH or worse with a fix, "
            f"{len(matches) - len(severe)} matches are less severe or without a fix{_list(rest)}, "
            f"{len(unmatched)} could not be compared{_list(unmatched)}",
            findings=tuple(self._build_finding(one) for one in severe),
        )

    def _build_finding(self, match: Match) -> Finding:
        stated = match.severity.value if match.severity is not None else "of no stated severity, taken for HIGH"
        return Finding(
            check_id=self.id,
            severity=max(match.severity or Severity.HIGH, self.severity, key=lambda one: one.weight),
            title="an installed version has a known hole, and there is a version without it",
            evidence=f"{match.name} {match.version}: {match.advisory} ({stated}), fixed in {match.fixed_in}",
            # With the advisory: who answers for one hole of a version answers for none that becomes known later.
            reproducer=f"{match.name}=={match.version}, {match.advisory}",
        )


def is_severe(match: Match) -> bool:
    """True for HIGH and worse with a fix. What states no severity counts as HIGH: silence is not green."""
    return match.fixed_in is not None and (match.severity is None or match.severity.weight >= _SEVERE)


def judge_age(base: AdvisoryBase, now: datetime) -> str | None:
    """Why the advisories say nothing of today; None when they do."""
    if not base.count or base.newest is None:
        return "the advisories hold none about PyPI with a date of change: get those of the ecosystem PyPI"
    if base.newest > now + _AHEAD:
        return f"the youngest advisory is dated {base.newest:%Y-%m-%d}, which is in the future: its date cannot be believed"
    if now - base.newest > OLDEST:
        return f"the youngest advisory is of {base.newest:%Y-%m-%d}, more than {OLDEST.days} days ago: get them anew"
    return None


def _list(names: Sequence[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def _leave_out(reason: str) -> Inspection:
    return Inspection(0, 0, reason, untested=reason)
