"""badge.svg: the verdict in one word, for a README. Colour is never alone: the word says the same."""

from typing import Final
from xml.sax.saxutils import escape, quoteattr

from jivsbench.model.record import RunRecord
from jivsbench.model.summary import Report, Summary, Verdict, VerdictOutcome
from jivsbench.report.literal import show_on_one_line

# White text on each has a contrast of at least 4.5 to 1.
_COLOURS: Final = {
    VerdictOutcome.PASSED: "#1a7f37",
    VerdictOutcome.CONDITIONAL: "#9a6700",
    VerdictOutcome.FAILED: "#cf222e",
    VerdictOutcome.INVALID: "#6e7781",
}
_LABEL_COLOUR: Final = "#424a53"
_CHARACTER_WIDTH: Final = 7
_PADDING: Final = 12
_HEIGHT: Final = 20
_MAX_CHARACTERS: Final = 40


class BadgeReporter:
    """Renders two boxes: the scenario, and the verdict."""

    name = "badge"
    filename = "badge.svg"

    def render(self, record: RunRecord, summary: Summary, verdict: Verdict) -> Report:  # noqa: ARG002 - a badge has one word
        """The drawing as UTF-8; it fetches nothing and runs nothing."""
        label = show_on_one_line(f"jivsbench {record.plan.scenario.name}")
        if len(label) > _MAX_CHARACTERS:
            label = f"{label[: _MAX_CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
        word = verdict.outcome.value.lower()
        left, right = (len(text) * _CHARACTER_WIDTH + _PADDING for text in (label, word))
        title = f"{label}: {word}"
        size = f'width="{left + right}" height="{_HEIGHT}"'
        lines = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label={quoteattr(title)}>',
            f"<title>{escape(title)}</title>",
            f'<rect width="{left}" height="{_HEIGHT}" fill="{_LABEL_COLOUR}"/>',
            f'<rect x="{left}" width="{right}" height="{_HEIGHT}" fill="{_COLOURS[verdict.outcome]}"/>',
            '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">',
            _write(label, left / 2, left - _PADDING),
            _write(word, left + right / 2, right - _PADDING),
            "</g>",
            "</svg>",
        )
        return Report(self.name, self.filename, "image/svg+xml", ("\n".join(lines) + "\n").encode())


def _write(text: str, middle: float, length: int) -> str:
    return f'<text x="{middle:g}" y="14" textLength="{length}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
