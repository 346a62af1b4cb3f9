"""SEC-023: whoever can write to the cache server must not run code in the target."""

import uuid
from pathlib import Path
from typing import Final

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.cache.cache_server import open_cache_server
from jivsbench_security.cache.cached_source import BUSY, CachedSource, add_source, count_misses, find_no_cache
from jivsbench_security.cache.gadgets import Gadget, build_gadgets, dress
from jivsbench_security.cache.poisoning import Poisoning
from jivsbench_security.hostile_check import MOST_FINDINGS, CountedSession, HostileCheck, Reported

_NOT_FOUND: Final = 404
_EXTRACTIONS: Final = 8
"""Rounds of the fast form in which the cached schema is read too; an extraction costs ten times a look."""


class CacheGadgetCheck(HostileCheck):
    """Writes bytes that run code when they are unpickled, and so on, under the target's keys."""

    id = "SEC-023"
    title = "What lies in the cache is data: nothing in it is run, and what is not the service's own is a counted miss"
    severity = Severity.CRITICAL
    cwe = ("CWE-502",)
    # A cache that tries pickle first.
    vulnerable = TargetVariant("vulnerable-pickle", plugins=("jivsbench.testing.vulnerable.pickled_cache",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack the entries of a data source of the check's own."""
        reason = find_no_cache(context)
        if reason is not None or context.cache_url is None:
            return self._leave_out(context, CheckOutcome.NOT_APPLICABLE, reason or "")
        with open_cache_server(context.cache_url) as server, add_source(context, server) as source:
            session = GadgetSession(self, source, context.make_folder() / "marker")
            return self._attack(context, session, session.attack)


class GadgetSession(CountedSession):
    """One run. Its attacks are the entries that it writes."""

    most_findings = 14
    """One a gadget: under the keys of jobs all are tried, whatever was found."""

    def __init__(self, check: Reported, source: CachedSource, marker: Path) -> None:
        super().__init__(check)
        self._source = source
        self._marker = marker
        self._poisoning = Poisoning(source, self.tally)

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.attempted} entries that run code when unpickled and so on written, {len(self.findings)} findings"

    def run_benign(self) -> int:
        """The source's facts and one row, out of the cache or not."""
        answers = self._source.ask()
        return int(answers.facts is not None) and int(answers.columns is not None)

    def attack(self) -> None:
        """Each gadget in each dress; the schema's entry in some rounds only, unless everything is asked for."""
        wanted, genuine = self._source.ask(), self._source.entries()
        if not genuine:
            raise InvalidRunError("the target put nothing about a data source into its cache server: is it the target's own?")
        gadgets = [one for gadget in build_gadgets(self._marker) for one in dress(gadget, min(genuine.values(), key=len))]
        step = 1 if self._source.context.is_full else len(gadgets) // _EXTRACTIONS
        before = count_misses(self._source.context)
        for number, gadget in enumerate(gadgets):
            problem = self._poisoning.poison(gadget.content, wanted, with_columns=number % step == 0)
            self._judge(gadget, problem)
            if len(self.findings) >= MOST_FINDINGS:
                break
        if not self.findings:
            self._attack_jobs(next(iter(genuine)), build_gadgets(self._marker))
        counted = count_misses(self._source.context) - before
        if counted < self.reached and not self.findings:
            self._tell(
                "entries that are not the target's own are not counted",
                f"{self.reached} met, {counted} misses counted",
                "any bytes",
            )

    def _attack_jobs(self, known_key: bytes, gadgets: tuple[Gadget, ...]) -> None:
        """The same under keys of jobs that the target does not know, and so looks for in its cache."""
        server = self._source.server
        # The key of a source or schema is PREFIX:KIND:NAME and perhaps more.
        prefix = known_key.partition(self._source.name.encode())[0].rstrip(b":").rpartition(b":")[0]
        keys = []
        for gadget in gadgets:
            job = str(uuid.uuid4())
            keys.append(prefix + f":job:{job}".encode())
            server.write(keys[-1], gadget.content)
            status = self._source.context.target.call("GET", f"/extractions/{job}").status
            is_busy = status in BUSY
            self.tally.count(is_met=not is_busy)
            wrong = not is_busy and status != _NOT_FOUND
            self._judge(gadget, f"a job that does not exist was answered with {status}" if wrong else None)
        server.remove(tuple(keys))

    def _judge(self, gadget: Gadget, problem: str | None) -> None:
        if self._marker.exists():
            self._marker.unlink()
            self._tell("an entry of the cache was run", f"{gadget.name}: the marker file was created", gadget.name)
        elif problem:
            self._tell("an entry that is not the target's own was believed", f"{gadget.name}: {problem}", gadget.name)

    def _tell(self, title: str, evidence: str, name: str) -> None:
        self.add(title, evidence, f"SET KEY ({name}) for each key that holds a source's name, then GET /api/v1/data-sources/NAME")
