"""The structure of a report page as text: what a reader meets, in order, without style and without the charts' data tables."""

from html.parser import HTMLParser

_HEADINGS = ("h1", "h2", "h3", "h4")
_BLOCKS = (*_HEADINGS, "p", "li", "dt", "dd", "pre", "figcaption", "caption", "tr", "summary", "title", "a")
_SILENT = ("style", "svg")
_MARKS = {"h1": "# ", "h2": "## ", "h3": "### ", "h4": "#### ", "li": "- ", "dt": "? ", "dd": "= ", "figcaption": "[chart] "}


class _Outline(HTMLParser):
    """Collects the text of each block, the cells of each row, and what each chart draws."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._text: list[str] = []
        self._block = ""
        self._silent = 0
        self._figures = 0
        self._drawn: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        if tag in ("path", "circle", "rect") and "plot" in self._drawn:
            kind = " ".join(classes)
            self._drawn[kind] = self._drawn.get(kind, 0) + 1
        if tag == "svg" and "plot" in classes:
            self._drawn = {"plot": 0}
        if tag in _SILENT:
            self._silent += 1
        if tag == "details" and "figures" in classes:
            self._figures += 1
        if tag in _BLOCKS and not (self._block == "tr" and tag != "tr"):
            self._end()
            self._block = tag
        if tag in ("td", "th") and self._text:
            self._text.append(" | ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "svg" and "plot" in self._drawn:
            drawn = ", ".join(f"{count} {kind}" for kind, count in sorted(self._drawn.items()) if count)
            self._end()
            self.lines.append(f"  draws {drawn}")
            self._drawn = {}
        if tag in _SILENT:
            self._silent -= 1
        if tag == "details" and self._figures:
            self._end()
            self._figures -= 1
        if tag == self._block:
            self._end()

    def handle_data(self, data: str) -> None:
        if not self._silent and not self._figures:
            self._text.append(data)

    def _end(self) -> None:
        text = " ".join("".join(self._text).split())
        if text:
            self.lines.append(f"{_MARKS.get(self._block, '')}{text}")
        self._text, self._block = [], ""


def outline_page(content: bytes) -> str:
    """One line per block of the page."""
    parser = _Outline()
    parser.feed(content.decode())
    parser.close()
    return "\n".join(parser.lines) + "\n"
