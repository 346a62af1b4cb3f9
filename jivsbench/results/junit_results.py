"""JUnit XML of any test runner: how many tests passed, failed and were skipped.

Cases are counted, for the sums that a suite writes can be anything; where a suite admits more failures than its cases show
(an error while collecting has no case), the greater number counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jivsbench.errors import ConfigError
from jivsbench.model.inputs import SuiteResults
from jivsbench.results.xml_events import read_count, read_xml

_LEFT_OUT: Final = ("notrun", "suppressed", "skipped", "disabled", "ignored")


def read_junit(paths: Sequence[Path]) -> SuiteResults:
    """Every case of every file. Raises ConfigError naming a file that is not JUnit XML or not whole."""
    passed = failed = skipped = 0
    for path in paths:
        cases = _read_file(path)
        worst = max(cases.failed, cases.admitted)
        failed += worst
        skipped += cases.skipped
        passed += max(cases.total - worst - cases.skipped, 0)
    return SuiteResults(tuple(path.name for path in paths), passed, failed, skipped)


@dataclass(slots=True)
class _Cases:
    path: Path
    total: int = 0
    failed: int = 0
    skipped: int = 0
    admitted: int = 0
    """Failures and errors by the suites' own sums."""
    outermost: list[int] = field(default_factory=list)
    current: str = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Count one element."""
        if name == "testcase":
            self.total += 1
            self.current = "skipped" if _was_left_out(attributes) else "passed"
            self.skipped += self.current == "skipped"
        elif name in ("failure", "error") and self.current in ("passed", "skipped"):
            self.failed += 1
            self.skipped -= self.current == "skipped"
            self.current = "failed"
        elif name == "skipped" and self.current == "passed":
            self.skipped += 1
            self.current = "skipped"
        elif name == "testsuite":
            self.current = ""
            self.outermost.append(self._admit(attributes))
        elif name == "testsuites":
            self.admitted = self._admit(attributes)

    def _admit(self, attributes: Mapping[str, str]) -> int:
        """Failures and errors by an element's own sums. Raises ConfigError for what is none: it could be any number of them."""
        return sum(read_count(self.path, attributes, key) for key in ("failures", "errors") if attributes.get(key))


def _was_left_out(attributes: Mapping[str, str]) -> bool:
    """By the case's own word, for GoogleTest writes a disabled one without any element in it."""
    return attributes.get("status", "").casefold() in _LEFT_OUT or attributes.get("result", "").casefold() in _LEFT_OUT


def _read_file(path: Path) -> _Cases:
    cases = _Cases(path)
    root = read_xml(path, cases.start)
    if root not in ("testsuites", "testsuite"):
        raise ConfigError(f"{path} is not JUnit XML: its root is <{root}>, expected is <testsuites>")
    # Suites may hold suites and repeat their sums, so the greatest single one is what is surely admitted.
    cases.admitted = max(cases.admitted, *cases.outermost, 0) if cases.outermost else cases.admitted
    return cases
