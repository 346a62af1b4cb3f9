"""SEC-020: default and weak secrets. A service that is given one does not start.

Each attack is a real start of another target of the same kind; that its process is gone is what counts.
"""

import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from jivsbench.api import CheckContext, TargetChanges, TargetVariant
from jivsbench.errors import JivsbenchError
from jivsbench.model.finding import CheckResult, Severity
from jivsbench.model.secret import Secret
from jivsbench_security.credentials.weak_secrets import list_keys, list_tokens
from jivsbench_security.hostile_check import CountedSession, HostileCheck, is_answering

_AT_A_TIME: Final = 2
"""Starts at the same time: more of them are no faster on a small machine, and run into the time that a start may take."""
_STARTS_FULL: Final = 200
_REFUSALS: Final = frozenset({"config", "credential"})
_JUST_TOO_SHORT_BYTES: Final = 15
"""120 bits, below the floor of 128."""


@dataclass(frozen=True, slots=True)
class WeakStart:
    """A start with one bad secret. `label` shows no secret but those that everybody knows."""

    label: str
    changes: TargetChanges
    what: str = ""
    """As a refusal calls it: a start that fails for another reason has refused no secret."""


class WeakSecretCheck(HostileCheck):
    """Starts targets with bad tokens, credential keys and masking keys."""

    id = "SEC-020"
    title = "Default and weak secrets: the service refuses to start with one"
    severity = Severity.HIGH
    cwe = ("CWE-1392", "CWE-1393", "CWE-798", "CWE-521")
    # A service that takes whatever it is given.
    vulnerable = TargetVariant("vulnerable-secrets", plugins=("jivsbench.testing.vulnerable.weak_secrets",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack."""
        session = _Session(self, context)
        return self._attack(context, session, session.attack)


class _Session(CountedSession):
    """One run against one target."""

    def __init__(self, check: WeakSecretCheck, context: CheckContext) -> None:
        super().__init__(check)
        self._context = context

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.attempted} starts with a secret that can be guessed, {len(self.findings)} of them went on"

    def run_benign(self) -> int:
        """1 when the target, which has secrets that were drawn at random, works."""
        return int(is_answering(self._context))

    def attack(self) -> None:
        """All starts, or one of each kind: two bad secrets of different kinds together, as long as neither is refused."""
        choice = random.Random(self._context.seed)  # noqa: S311 - repeatable, not secret
        starts = choose_starts(choice, _STARTS_FULL if self._context.is_full else None)
        # Neighbours are of different kinds.
        pairs = [starts[place : place + 2] for place in range(0, len(starts), 2)]
        with ThreadPoolExecutor(_AT_A_TIME) as starters:
            for answers in starters.map(self._start_all, pairs):
                for start, refusal in answers:
                    self._take(start, refusal)

    def _start_all(self, starts: Sequence[WeakStart]) -> list[tuple[WeakStart, JivsbenchError | None]]:
        """What each was refused with; None when it went on. A refusal answers for the secret that it names."""
        left, answers = list(starts), []
        while left:
            refusal = self._start(join_starts(left))
            met = [start for start in left if refusal is not None and is_refusal(start, refusal)][:1] or left
            answers += [(start, refusal) for start in met]
            left = [start for start in left if start not in met]
        return answers

    def _start(self, start: WeakStart) -> JivsbenchError | None:
        try:
            with self._context.launch(start.changes):
                return None
        except JivsbenchError as refusal:
            return refusal

    def _take(self, start: WeakStart, refusal: JivsbenchError | None) -> None:
        self.tally.count(is_met=refusal is None or is_refusal(start, refusal))
        if refusal is None:
            title = "the service started with a secret that can be guessed"
            self.add(title, f"it accepts requests with {start.label}", f"jivsbench serve, with {start.label}")


def is_refusal(start: WeakStart, refusal: JivsbenchError) -> bool:
    """True when the secret is what a target did not start with; a port or a database may be another reason."""
    return refusal.slug in _REFUSALS and start.what in str(refusal).lower()


def join_starts(starts: Sequence[WeakStart]) -> WeakStart:
    """One start with the bad secrets of all of them, each of another kind."""
    given = {
        name: secret
        for start in starts
        for name in ("admin_token", "credential_key", "mask_key")
        if (secret := getattr(start.changes, name)) is not None
    }
    return WeakStart(" and ".join(start.label for start in starts), TargetChanges(**given))


def choose_starts(choice: random.Random, number: int | None) -> Sequence[WeakStart]:
    """So many starts, in turn of every kind of secret; None: one of each kind."""
    kinds = [choice.sample(kind, len(kind)) for kind in (list(_list_tokens()), list(_list_keys()), list(_list_mask_keys()))]
    mixed = [start for turn in range(max(map(len, kinds))) for kind in kinds for start in kind[turn : turn + 1]]
    return mixed[: len(kinds) if number is None else number]


def _list_tokens() -> Iterator[WeakStart]:
    return _label("JIVSBENCH_ADMIN_TOKEN", list_tokens(), "token", lambda secret: TargetChanges(admin_token=secret))


def _list_keys() -> Iterator[WeakStart]:
    yield from _label(
        "JIVSBENCH_CREDENTIAL_KEY", list_keys(), "credential key", lambda secret: TargetChanges(credential_key=secret)
    )
    for size in (_JUST_TOO_SHORT_BYTES, 2 * _JUST_TOO_SHORT_BYTES + 1):
        yield WeakStart(
            f"JIVSBENCH_CREDENTIAL_KEY of {size} random bytes",
            TargetChanges(credential_key=Secret(secrets.token_hex(size))),
            "credential key",
        )


def _list_mask_keys() -> Iterator[WeakStart]:
    yield from _label("JIVSBENCH_MASKING_KEY", list_tokens(), "masking key", lambda secret: TargetChanges(mask_key=secret))
    yield WeakStart(
        f"JIVSBENCH_MASKING_KEY of {_JUST_TOO_SHORT_BYTES} random bytes",
        TargetChanges(mask_key=Secret(secrets.token_hex(_JUST_TOO_SHORT_BYTES))),
        "masking key",
    )


def _label(name: str, texts: Iterator[str], what: str, change: Callable[[Secret], TargetChanges]) -> Iterator[WeakStart]:
    return (WeakStart(f"{name}={text!r}", change(Secret(text)), what) for text in texts)
