"""What the servers of the TLS checks cannot be on this machine."""

from collections.abc import Collection
from dataclasses import replace

from jivsbench.model.finding import CheckOutcome, CheckResult
from jivsbench_security.servers.fronts import HOSTILE, Line


def admit_gap(result: CheckResult, tried: Collection[Line]) -> CheckResult:
    """The result; NOT_TESTED in place of a PASS when one of the servers could not be put up."""
    missing = [line.value for line in HOSTILE if line not in tried]
    if not missing or result.outcome is not CheckOutcome.PASS:
        return result
    reason = f"{result.reason}; not tried, since this machine's OpenSSL cannot be one: {', '.join(missing)}"
    return replace(result, outcome=CheckOutcome.NOT_TESTED, reason=reason)
