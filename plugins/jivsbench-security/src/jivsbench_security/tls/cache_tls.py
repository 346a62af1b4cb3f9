"""SEC-017: TLS to the cache server, and the password for it. Nobody but the server that the URL means gets it.

The server is exchanged while the target runs, as somebody would who can stand between the two; the full form lets it be wrong
from the start besides.
"""

import contextlib
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from jivsbench.api import CheckContext, TargetChanges, TargetVariant
from jivsbench.errors import InvalidRunError, JivsbenchError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench.model.secret import Secret
from jivsbench_security.cache.cached_source import find_no_cache
from jivsbench_security.hostile_check import HostileCheck, Reported
from jivsbench_security.servers.certificates import SERVER_ADDRESS
from jivsbench_security.servers.fronts import Line
from jivsbench_security.servers.redis_front import RedisFront
from jivsbench_security.tls.gaps import admit_gap
from jivsbench_security.tls.tls_session import TlsSession

_TIMEOUT_S: Final = 5.0
_NOT_FOUND: Final = 404
_ROUNDS: Final = 6
_AT_A_TIME_A_CORE: Final = 3
"""As many as a target of one core looks up at once: all six in one round on two."""
_LOOK_EVERY_S: Final = 0.04
_GREETING: Final = "PING"
"""What a client says to a server that has failed it, before it believes it again."""
_UNTIL_ASKED_AGAIN_S: Final = 0.55
"""A cache that failed is left alone for half a second."""


class CacheTlsCheck(HostileCheck):
    """Starts a target whose cache server is the check's own, and exchanges that server."""

    id = "SEC-017"
    title = "TLS to the cache: no password goes to a server that cannot prove who it is"
    severity = Severity.MEDIUM
    cwe = ("CWE-319", "CWE-306")
    # A client without TLS, whatever the URL says. The cache is named, so that no other hole stands in its place.
    vulnerable = TargetVariant("vulnerable-cache-tls", plugins=("jivsbench.testing.vulnerable.cache_tls",), cache="redis")

    def run(self, context: CheckContext) -> CheckResult:
        """Attack. Needs a target with a cache server."""
        reason = find_no_cache(context)
        if reason is not None:
            return self._leave_out(context, CheckOutcome.NOT_APPLICABLE, reason)
        with _Session(self, context).serving() as session:
            with context.launch(TargetChanges(cache_url=session.build_url())) as target:
                session.target = target
                result = self._attack(context, session, session.exchange)
            if context.is_full and result.outcome is CheckOutcome.PASS:
                session.start_wrong()
                result = session.extend(result)
            return admit_gap(result, session.lines)


class _Session(TlsSession):
    _front: RedisFront

    def __init__(self, check: Reported, context: CheckContext) -> None:
        super().__init__(check, context)
        self._password = secrets.token_hex(16)
        self.target = context

    @contextlib.contextmanager
    def serving(self) -> Iterator["_Session"]:
        """With the server up that takes the place of the trusted one, and the trusted one."""
        with RedisFront(self.certificates, ()) as trusted, RedisFront(self.certificates, self.lines, trusted.port) as self._front:
            yield self

    def build_url(self) -> Secret:
        """What a user writes to have TLS. The long timeout lets the server choose when it answers."""
        query = f"ssl_ca_certs={quote(str(self.certificates.authority), safe='/')}&socket_timeout=5"
        return Secret(f"rediss://:{self._password}@{SERVER_ADDRESS}:{self._front.port}/0?{query}")

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.attempted} connections to servers that prove nothing, {len(self.findings)} of them gave the password away"

    def run_benign(self) -> int:
        """1 when the trusted server has the password, and the target answers what needs its cache or does without it."""
        return int(self._front.count_heard(self._password, Line.TRUSTED) > 0 and self._look_up())

    def exchange(self) -> None:
        """Put the servers in the place of the trusted one, some at a time, and let the target look something up at each."""
        at_a_time = _AT_A_TIME_A_CORE * (os.cpu_count() or 1)
        for turn in range(_ROUNDS):
            left = [line for line in self.lines if line not in self._front.met][:at_a_time]
            if not left:
                break
            if turn:
                self._win_back()
            self._front.turn_hostile(left)
            with ThreadPoolExecutor(len(left)) as callers:
                list(callers.map(lambda _number: self._look_up(), range(len(left))))
        self._front.turn_hostile(())
        met = len(set(self.lines) & set(self._front.met))
        self.tally.count(met, is_met=True)
        # "Refuses 6 of 6" needs all six: one that was never met has refused nobody.
        self.tally.count(len(self.lines) - met, is_met=False)
        self._judge("connected anew to")

    def _win_back(self) -> None:
        """Let the target find the trusted server again: else it would ask once at a time."""
        self._front.turn_hostile(())
        before = self._front.count_heard(_GREETING, Line.TRUSTED)
        time.sleep(_UNTIL_ASKED_AGAIN_S)
        self._look_up()
        give_up_at_s = time.monotonic() + 2 * _UNTIL_ASKED_AGAIN_S
        while self._front.count_heard(_GREETING, Line.TRUSTED) == before and time.monotonic() < give_up_at_s:
            time.sleep(_LOOK_EVERY_S)
        # It has said it, and now reads the answer.
        time.sleep(_LOOK_EVERY_S)

    def start_wrong(self) -> None:
        """Each server from the start."""
        for line in self.lines:
            # One connection decides: a start asks once, and waits half a second.
            self._front.turn_hostile([line])
            before = self._front.met.count(line)
            # Whether it starts without its cache is its own affair, as long as it keeps the password to itself.
            with contextlib.suppress(JivsbenchError), self.context.launch(TargetChanges(cache_url=self.build_url())):
                pass
            self.tally.count(is_met=self._front.met.count(line) > before)
        self._judge("started with")

    def extend(self, result: CheckResult) -> CheckResult:
        """The result, with what was done since. Raises InvalidRunError when a server was not met."""
        if self.unanswered and not self.findings:
            raise InvalidRunError(f"{self.unanswered} targets that were to start with a wrong cache server never asked it")
        return replace(
            result,
            outcome=CheckOutcome.FAIL if self.findings else CheckOutcome.PASS,
            reason=self.describe(),
            attempted=self.attempted,
            reached=self.reached,
            findings=tuple(self.findings),
        )

    def _judge(self, how: str) -> None:
        for line in self.lines:
            if self._front.count_heard(self._password, line):
                self.tell(
                    line,
                    "the cache's password went to a server that did not prove who it is",
                    f"the target {how} {line.value}, and said its password",
                    f"[cache] url = rediss://:***@{SERVER_ADDRESS}:6379/0?ssl_ca_certs=ca.pem, with {line.value} there",
                )

    def _look_up(self) -> bool:
        """Something that the target looks up in its cache, and never finds: what it has it need not ask for again.

        From threads, so not by `target.call`.
        """
        request = urllib.request.Request(  # noqa: S310 - the target's own address
            f"{self.target.base_url}/api/v1/data-sources/none-{secrets.token_hex(4)}",
            headers={"Authorization": f"Bearer {self.target.token.reveal()}"},
        )
        try:
            urllib.request.urlopen(request, timeout=_TIMEOUT_S).close()  # noqa: S310 - the same
        except urllib.error.HTTPError as answer:
            answer.close()
            return answer.code == _NOT_FOUND
        except OSError:
            pass
        return False
