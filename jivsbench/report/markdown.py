"""summary.md and comment.md: the run for a job's summary and for a comment. Names that others chose stay text, never markup.

Each keeps its reader's limit: GitHub refuses a step summary of more than 1 MiB and a comment of more than 65,536 characters
whole, without a word. What does not fit is left out from the end, line by line, and the last line says how much.
"""

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
from jivsbench.report.views.security import SecurityView, build_security

_MARKS: Final = {
    Shape.CHECK: ":white_check_mark:",
    Shape.TRIANGLE: ":warning:",
    Shape.CROSS: ":x:",
    Shape.QUESTION: ":grey_question:",
    Shape.DASH: ":heavy_minus_sign:",
}
# Everything that Markdown or its HTML could act on. `&` first of all, so that nothing here is escaped twice.
_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_ACTIVE: Final = re.compile(r"([\\`*_\[\]#|~$])")
# A mention, an issue number, a bare address or an emoji is made by its first signs; a character of no width breaks it apart.
# Two digits behind a colon are a time; no emoji is called so.
_REFERENCE: Final = re.compile(r"@(?=\w)|(?<=\w):(?=//)|:(?!\d\d[:+-])(?=[\w+\\-]+:)|(?<=www)\.|\bGH-(?=\d)")
_APART: Final = "&#8203;"
_REMARK_BYTES: Final = 100


MAX_SUMMARY_BYTES: Final = 1024 * 1024
MAX_COMMENT_BYTES: Final = 65_536
"""In bytes, which are never fewer than characters."""


class MarkdownReporter:
    """Renders the verdict, the key figures, the gates and the checks, each as a small table."""

    name = "markdown"
    filename = "summary.md"
    limit_bytes = MAX_SUMMARY_BYTES

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:
        """The comment as UTF-8."""
        headline = build_headline(record, summary, verdict)
        key = build_key_figures(record, summary, is_valid=headline.is_valid)
        parts = [
            *_write_verdict(headline),
            *_write_figures(key, is_valid=headline.is_valid),
            *_write_gates(headline),
            *_write_checks(record, verdict),
            f"<sub>{' · '.join(escape(fact) for fact in headline.facts)}</sub>",
        ]
        content = fit(("\n\n".join(parts) + "\n").encode(), self.limit_bytes)
        return Report(self.name, self.filename, "text/markdown; charset=utf-8", content)


class CommentReporter(MarkdownReporter):
    """The same within the limit of a comment on a pull or merge request."""

    name = "comment"
    filename = "comment.md"
    limit_bytes = MAX_COMMENT_BYTES


def fit(content: bytes, limit_bytes: int) -> bytes:
    """Whole lines from the beginning, as many as fit, and how many do not. A first line that is too long is cut itself."""
    if len(content) <= limit_bytes:
        return content
    lines = content.splitlines(keepends=True)
    kept, used = 0, _REMARK_BYTES
    while used + len(lines[kept]) <= limit_bytes:
        used += len(lines[kept])
        kept += 1
    head = b"".join(lines[:kept]) or lines[0][: limit_bytes - _REMARK_BYTES].decode(errors="ignore").encode()
    return head + f"\n\n_{len(lines) - kept} of {len(lines)} lines do not fit here: see report.html._\n".encode()


def escape(text: str) -> str:
    r"""Text as Markdown shows it literally, on one line.

    >>> escape("a|b <i>*c*</i>")
    'a\\|b &lt;i&gt;\\*c\\*&lt;/i&gt;'
    """
    plain = show_on_one_line(text).translate(_ENTITIES)
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
        yield f"> :rotating_light: **{alarm.word} {escape(alarm.check_id)}:** {escape(alarm.title)}. {escape(alarm.reason)}"
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


def _write_checks(record: RunRecord, verdict: Verdict) -> Iterable[str]:
    security = build_security(record, verdict)
    if not security.lines:
        yield "No security check ran: this says nothing about security."
        return
    yield " ".join(_write_score(security))
    shown = [line for line in security.lines if line.badge.word != CheckOutcome.PASS.value]
    if shown:
        rows = [
            [_mark(line.badge.shape, line.badge.word), f"{line.check_id} {line.title}", line.severity, line.reason]
            for line in shown
        ]
        yield _build_table(["outcome", "check", "severity", "reason"], rows, right=())


def _write_score(security: SecurityView) -> Iterable[str]:
    score = security.score
    letter = f" **{escape(score.letter)}**," if score.letter else ""
    yield (
        f"Security{letter or ':'} {score.value} of 100: {escape(security.counts)}."
        if score.value
        else (f"Security: no score: {escape(security.counts)}.")
    )
    yield from (escape(text) for text in (score.cap, score.letter_note) if text)
    if security.not_run:
        names = ", ".join(line.check_id for line in security.not_run)
        yield escape(f"{security.not_run_note}: {names}.")


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
