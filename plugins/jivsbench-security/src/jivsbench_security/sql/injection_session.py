"""Sends the attacks of SEC-001, some at a time, and judges each answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jivsbench.api import CheckContext
from jivsbench.model.finding import Finding
from jivsbench_security.extractions import Ending, Extractions
from jivsbench_security.hostile_check import MOST_FINDINGS, CountedSession, Reported
from jivsbench_security.payloads import SLEEP_S, Payload, Victims
from jivsbench_security.sql.attack import Attack
from jivsbench_security.sql.injection_tables import BENIGN, CanaryWatch, Row
from jivsbench_security.sql.template_statements import TemplateStatements
from jivsbench_security.sql.value_contexts import ValueContext, build_body, expect

_DELAY_S: Final = 0.8 * SLEEP_S
_SLOW_AGAIN: Final = 5
"""So often a payload that made the server sleep does it once more; other work on the machine does not keep time with it."""
_MAX_SHRINKS: Final = 12
_DAMAGE: Final = "the source was changed"
_MISFIT: Final = "abc\\"
"""No number, no date, and no pattern: it fails in every place but text, and so shows what the target sends then."""
_FITTING: Final = {ValueContext.NUMBER: "70", ValueContext.DATE: "2024-01-08"}
"""PostgreSQL reads dates out of many a text (`&#39;${7*7} /*` is one, years first), and then rows are counted, too."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The attacked table, what is in it, and who watches."""

    names: Victims
    rows: Sequence[Row]
    watch: CanaryWatch


class InjectionSession(CountedSession):
    """One run of SEC-001 against one target."""

    def __init__(self, check: Reported, context: CheckContext, scene: Scene) -> None:
        super().__init__(check)
        self._context = context
        self._names = scene.names
        self._rows = scene.rows
        self._watch = scene.watch
        self._extractions = Extractions(context.target)
        self._statements = TemplateStatements(context.wire, scene.names.table)
        self._writers: Sequence[Attack] = ()
        self._has_begun = False
        self._has_told_statement = False

    def describe(self) -> str:
        """One line for the result."""
        return f"{super().describe()}; {self._statements.describe()}"

    def run_benign(self) -> int:
        """1 when a harmless value finds its row, else 0."""
        mark = self._statements.mark()
        ending = self._send(Attack(Payload("benign", BENIGN), ValueContext.TEXT))
        if not self._has_begun:
            self._statements.learn_beginning(mark)
            self._has_begun = True
        wanted = [row.id for row in self._rows if row.label == BENIGN]
        return int(ending.is_completed and self._read_ids(ending) == wanted)

    def learn_templates(self) -> None:
        """What a harmless value makes the target send to its server, for each place: those that fit, and one that fails there."""
        for context in ValueContext:
            mark = self._statements.mark()
            values = (BENIGN, _MISFIT, _FITTING[context]) if context.is_typed else (BENIGN, _MISFIT)
            self._extractions.run_all([self._build(Attack(Payload("benign", value), context)) for value in values])
            self._statements.learn(context, mark)

    def attack_group(self, attacks: Sequence[Attack]) -> None:
        """Send payloads for one place at the same time, and note what they did."""
        mark = self._statements.mark()
        for attack, ending in zip(attacks, self._extractions.run_until_met([self._build(one) for one in attacks]), strict=True):
            self.tally.count(is_met=ending.is_verdict, is_refused=ending.is_refused)
            problem = self._find_problem(attack, ending) if ending.is_verdict else None
            if problem is not None:
                self._tell(self._shrink(attack, problem), problem)
        other = self._statements.find_other(attacks[0].context, mark)
        if other is not None:
            self._tell_other_statement(attacks, other)
        writers = [attack for attack in attacks if attack.payload.may_write]
        if writers:
            self._writers = writers
            self.look_for_damage()

    def _tell_other_statement(self, attacks: Sequence[Attack], seen: str) -> None:
        """Find out, one by one, whose statement was another than the harmless one's. Told once."""
        if self._has_told_statement:
            return
        for attack in attacks:
            mark = self._statements.mark()
            self._send(attack)
            other = self._statements.find_other(attack.context, mark)
            if other is not None:
                self._has_told_statement = True
                self._tell(attack, f"the server got another statement than for a harmless value: {other[:200]}", is_extra=True)
                return
        self.remarks.append(
            f"one statement was another than a harmless value's, and came from no value that was sent again: {seen[:200]}"
        )

    def look_for_damage(self) -> None:
        """Compare the source with what it was; a payload that could write is the reproducer. Damage is told once."""
        damage = self._watch.find_damage() if not self._is_damaged() else None
        if damage is not None:
            writer = self._writers[-1] if self._writers else Attack(Payload("unknown", ""), ValueContext.TEXT)
            others = f", or by one of {len(self._writers) - 1} others sent with it" if len(self._writers) > 1 else ""
            self._tell(writer, f"{_DAMAGE}: {damage}{others}")

    def _is_damaged(self) -> bool:
        return any(finding.evidence.startswith(_DAMAGE) for finding in self.findings)

    def _find_problem(self, attack: Attack, ending: Ending) -> str | None:
        """What is wrong with the answer; None when it is the oracle's."""
        if ending.duration_s >= _DELAY_S and self._is_slow_again(attack):
            return (
                f"the answer took {ending.duration_s:.1f} s, and as long {_SLOW_AGAIN} times more: "
                f"the payload asks the server to sleep {SLEEP_S:.0f} s"
            )
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
        """Alone, each time, and not the harmless values between: it may have waited for others, or for a busy machine."""
        harmless = Attack(Payload("benign", BENIGN), ValueContext.TEXT)
        is_quick = False
        for _ in range(_SLOW_AGAIN):
            if self._send(attack).duration_s < _DELAY_S:
                return False
            is_quick |= self._send(harmless).duration_s < _DELAY_S / 2
        return is_quick

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

    def _build(self, attack: Attack) -> Mapping[str, object]:
        return build_body(self._context.source, self._names.table, attack.context, attack.payload.text)

    def _send(self, attack: Attack) -> Ending:
        return self._extractions.run(self._build(attack))

    def _read_ids(self, ending: Ending) -> list[int]:
        """The ids that came back, sorted; an id that is none (a UNION brought it) counts as 0.

        A source without declared types for a query's columns, as SQLite is, may hand them out as text.
        """
        column = self._context.read_output(ending.job).column(0).to_pylist()
        return sorted(int(str(value)) if str(value).isdecimal() else 0 for value in column)

    def _tell(self, attack: Attack, problem: str, *, is_extra: bool = False) -> None:
        if is_extra or len(self.findings) < MOST_FINDINGS:
            title = f"a filter value changed the query ({attack.payload.technique}, {attack.context.name})"
            where = f"{attack.context.column} {attack.context.operator}"
            shown = f"filter {where} with the value {attack.payload.text!r}"
            self.findings.append(Finding(self.check.id, self.check.severity, title, problem, shown))
