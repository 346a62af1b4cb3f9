"""Sends the attacks of SEC-001 one by one and judges each answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from jivsbench.api import CheckContext
from jivsbench.model.finding import Finding, Severity
from jivsbench_security.attack import Attack
from jivsbench_security.extractions import Ending, Extractions
from jivsbench_security.injection_tables import BENIGN, CanaryWatch, Row
from jivsbench_security.payloads import SLEEP_S, Payload, Victims
from jivsbench_security.value_contexts import ValueContext, build_body, expect

_DELAY_S: Final = 0.8 * SLEEP_S
_MAX_SHRINKS: Final = 40
_DAMAGE: Final = "the source was changed"


class Reported(Protocol):
    """Under what a finding is reported."""

    @property
    def id(self) -> str:
        """Id of the check."""
        ...

    @property
    def severity(self) -> Severity:
        """How bad its findings are."""
        ...


@dataclass(frozen=True, slots=True)
class Scene:
    """The attacked table, what is in it, and who watches."""

    names: Victims
    rows: Sequence[Row]
    watch: CanaryWatch


class InjectionSession:
    """The counters and findings of one run of SEC-001 against one target."""

    def __init__(self, check: Reported, context: CheckContext, scene: Scene) -> None:
        self._check = check
        self._context = context
        self._names = scene.names
        self._rows = scene.rows
        self._watch = scene.watch
        self._extractions = Extractions(context.target)
        self._last_writer: Attack | None = None
        self.attempted = 0
        self.reached = 0
        self.unanswered = 0
        self.findings: list[Finding] = []

    def describe(self) -> str:
        """One line for the result."""
        return f"{self.attempted} payloads sent, {self.reached} met by the target, {len(self.findings)} found a hole"

    def run_benign(self) -> int:
        """1 when a harmless value finds its row, else 0."""
        ending = self._send(Attack(Payload("benign", BENIGN), ValueContext.TEXT))
        wanted = [row.id for row in self._rows if row.label == BENIGN]
        return int(ending.is_completed and self._read_ids(ending) == wanted)

    def attack(self, attack: Attack) -> None:
        """Send one payload and note what it did."""
        self.attempted += 1
        ending = self._send(attack)
        if not ending.is_verdict:
            self.unanswered += 1
            return
        self.reached += 1
        problem = self._find_problem(attack, ending)
        if problem is not None:
            self._add(self._shrink(attack, problem), problem)
        if attack.payload.may_write:
            self._last_writer = attack
            self.look_for_damage()

    def look_for_damage(self) -> None:
        """Compare the source with what it was; the last payload that could write is the reproducer. Damage is told once."""
        damage = self._watch.find_damage() if not self._is_damaged() else None
        if damage is not None:
            self._add(self._last_writer or Attack(Payload("unknown", ""), ValueContext.TEXT), f"{_DAMAGE}: {damage}")

    def _is_damaged(self) -> bool:
        return any(finding.evidence.startswith(_DAMAGE) for finding in self.findings)

    def _find_problem(self, attack: Attack, ending: Ending) -> str | None:
        """What is wrong with the answer; None when it is the oracle's."""
        if ending.duration_s >= _DELAY_S and self._is_slow_again(attack):
            return f"the answer took {ending.duration_s:.1f} s, twice: the payload asks the server to sleep {SLEEP_S:.0f} s"
        expected = expect(attack.context, attack.payload.text, self._rows, self._context.dialect)
        if ending.is_crash:
            return f"the target failed as if by its own fault (status {ending.status}, error {ending.slug})"
        if ending.is_refused:
            return None if expected.may_refuse else f"a valid value was refused (error {ending.slug}): it reached the SQL text"
        found = self._read_ids(ending)
        if found != list(expected.ids):
            return f"{len(found)} rows came back where {len(expected.ids)} hold the value"
        return None

    def _is_slow_again(self, attack: Attack) -> bool:
        """A busy machine is slow with harmless values too, and not each time."""
        benign = self._send(Attack(Payload("benign", BENIGN), ValueContext.TEXT))
        return benign.duration_s < _DELAY_S / 2 and self._send(attack).duration_s >= _DELAY_S

    def _shrink(self, attack: Attack, problem: str) -> Attack:
        """The smallest payload that still brings back wrong rows, by leaving out ever smaller pieces. Only for the first hole."""
        if self.findings or "rows came back" not in problem:
            return attack
        text, step, tries = attack.payload.text, len(attack.payload.text) // 2, 0
        while step and tries < _MAX_SHRINKS:
            start = 0
            while start < len(text) and tries < _MAX_SHRINKS:
                shorter = Attack(Payload(attack.payload.technique, text[:start] + text[start + step :]), attack.context)
                tries += 1
                ending = self._send(shorter)
                if ending.is_completed and self._find_problem(shorter, ending) is not None:
                    text = shorter.payload.text
                else:
                    start += step
            step //= 2
        return Attack(Payload(attack.payload.technique, text), attack.context)

    def _send(self, attack: Attack) -> Ending:
        body = build_body(self._context.source, self._names.table, attack.context, attack.payload.text)
        return self._extractions.run(body)

    def _read_ids(self, ending: Ending) -> list[int]:
        """The ids that came back, sorted; an id that is none (a UNION brought it) counts as 0.

        A source without declared types for a query's columns, as SQLite is, may hand them out as text.
        """
        column = self._context.read_output(ending.job).column(0).to_pylist()
        return sorted(int(str(value)) if str(value).isdecimal() else 0 for value in column)

    def _add(self, attack: Attack, problem: str) -> None:
        where = f"{attack.context.column} {attack.context.operator}"
        self.findings.append(
            Finding(
                check_id=self._check.id,
                severity=self._check.severity,
                title=f"a filter value changed the query ({attack.payload.technique}, {attack.context.name})",
                evidence=problem,
                reproducer=f"filter {where} with the value {attack.payload.text!r}",
            )
        )
