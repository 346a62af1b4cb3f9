"""summary.md: the run as a comment on a pull request. Names that others chose stay text: no link, no markup, no mention."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from jivsbench.model.finding import CheckOutcome
from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Report, Summary, Verdict
from jivsbench.report.literal import show_on_one_line
from jivsbench.report.views.badges import Shape
from jivsbench.report.views.headline import Headline, build_headline
from jivsbench.report.views.key_figures import KeyFigures, build_key_figures
from jivsbench.report.views.security import build_security

_MARKS: Final = {
    Shape.CHECK: ":white_check_mark:",
    Shape.TRIANGLE: ":warning:",
    Shape.CROSS: ":x:",
    Shape.QUESTION: ":grey_question:",
    Shape.DASH: ":heavy_minus_sign:",
}
# Everything that Markdown or its HTML could act on. `&` first of all, so that nothing here is escaped twice.
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ACTIVE: Final = re.compile(r"([\\`*_\[\]#|~$])")
# A mention, an issue number, a bare address or an emoji is made by its first signs; a character of no width breaks it apart.
_REFERENCE: Final = re.compile(r"@(?=\w)|(?<=\w):(?=//)|(?<=www)\.|\bGH-(?=\d)")
_APART: Final = "&#8203;"


class MarkdownReporter:
    """Renders the verdict, the key figures, the gates and the checks, each as a small table."""

    name = "markdown"
    filename = "summary.md"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:
        """The comment as UTF-8."""
        headline = build_headline(record, summary, verdict)
        key = build_key_figures(record, summary, is_valid=headline.is_valid)
        parts = [
            *_write_verdict(headline),
            *_write_figures(key, is_valid=headline.is_valid),
            *_write_gates(headline),
            *_write_checks(record),
            f"<sub>{' · '.join(escape(fact) for fact in headline.facts)}</sub>",
        ]
        return Report(self.name, self.filename, "text/markdown; charset=utf-8", ("\n\n".join(parts) + "\n").encode())


def escape(text: str) -> str:
    r"""Text as Markdown shows it literally, on one line.

    >>> escape("a|b <i>*c*</i>")
    'a\\|b &lt;i&gt;\\*c\\*&lt;/i&gt;'
    """
    plain = "".join(_ENTITIES.get(character, character) for character in show_on_one_line(text))
    return _REFERENCE.sub(lambda match: f"{match[0]}{_APART}", _ACTIVE.sub(r"\\\1", plain))


def _write_verdict(headline: Headline) -> Iterable[str]:
    badge = headline.badge
    yield f"## {_MARKS[badge.shape]} {badge.word}: {escape(headline.title)}"
    yield f"**{escape(headline.subject)}.** {escape(headline.why)}"
    if headline.effect:
        yield escape(headline.effect)
    for answer in headline.answers:
        yield escape(answer)
    for alarm in headline.alarms:
        yield f"> :rotating_light: **Open CRITICAL {escape(alarm.check_id)}:** {escape(alarm.title)}. {escape(alarm.reason)}"
    if headline.reasons:
        yield "\n".join(f"- {escape(reason)}" for reason in headline.reasons)
    if headline.conditions:
        yield "**Conditions**\n" + "".join(f"\n{place}. {escape(text)}" for place, text in enumerate(headline.conditions, 1))


def _write_figures(key: KeyFigures, *, is_valid: bool) -> Iterable[str]:
    if not key.arms:
        return
    if not is_valid:
        yield "_These figures do not count: the run is invalid._"
    heads = ["figure", *key.arms, *(("ratio", f"{key.confidence} interval", "reading") if key.is_comparison else ())]
    rows = [
        [
            row.label,
            *(cell.value for cell in row.cells),
            *((row.ratio, row.interval, row.judgement) if key.is_comparison else ()),
        ]
        for row in key.rows
    ]
    yield _build_table(heads, rows, right=range(1, 1 + len(key.arms) + (2 if key.is_comparison else 0)))


def _write_gates(headline: Headline) -> Iterable[str]:
    if not headline.gates:
        yield "This run was asked no gate."
        return
    rows = [[_mark(gate.badge.shape, gate.badge.word), gate.text, gate.value, gate.limit, gate.reason] for gate in headline.gates]
    yield _build_table(["outcome", "gate", "found", "asked", "reason"], rows, right=(2, 3))


def _write_checks(record: RunRecord) -> Iterable[str]:
    security = build_security(record)
    if not security.lines:
        yield "No security check ran: this says nothing about security."
        return
    score = f"Security **{escape(security.letter)}**, {security.score} of 100" if security.score else "Security: no score"
    yield f"{score}: {escape(security.counts)}."
    shown = [line for line in security.lines if line.badge.word != CheckOutcome.PASS.value]
    if shown:
        rows = [
            [_mark(line.badge.shape, line.badge.word), f"{line.check_id} {line.title}", line.severity, line.reason]
            for line in shown
        ]
        yield _build_table(["outcome", "check", "severity", "reason"], rows, right=())


class _Raw(str):
    """Markdown that was written here, not by others."""

    __slots__ = ()


def _mark(shape: Shape, word: str) -> _Raw:
    return _Raw(f"{_MARKS[shape]} {word}")


def _build_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Iterable[int]) -> str:
    to_right = set(right)
    rule = ["---:" if place in to_right else "---" for place in range(len(heads))]
    lines = [[escape(head) for head in heads], rule]
    lines += [[cell if isinstance(cell, _Raw) else escape(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
