"""Whether a page's structure is the one that its author wrote: read by a parser, and compared with that of a harmless twin."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final

_ACTIVE: Final = frozenset({"script", "iframe", "object", "embed", "base", "form", "frame", "applet"})
_ADDRESSES: Final = frozenset({"href", "src", "action", "formaction", "data", "poster", "srcset", "xlink:href", "background"})
_POLICY: Final = "content-security-policy"


@dataclass(slots=True)
class Markup:
    """What a parser finds: the sequence of tags with the names of their attributes, the texts, and what could act."""

    skeleton: list[tuple[str, ...]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    active: list[str] = field(default_factory=list)
    policy: str | None = None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.markup = Markup()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.markup.skeleton.append((tag, *sorted(name for name, _ in attrs)))
        values = {name: value or "" for name, value in attrs}
        if tag == "meta" and values.get("http-equiv", "").lower() == _POLICY:
            self.markup.policy = values.get("content", "")
        elif tag in _ACTIVE or (tag == "meta" and values.get("http-equiv", "").lower() == "refresh"):
            self.markup.active.append(f"<{tag}>")
        for name, value in values.items():
            if name.startswith("on") or name == "srcdoc":
                self.markup.active.append(f"<{tag} {name}>")
            elif name in _ADDRESSES and not value.startswith("#") and value != "data:,":
                self.markup.active.append(f"<{tag} {name}={value[:40]}>")

    def handle_endtag(self, tag: str) -> None:
        self.markup.skeleton.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        self.markup.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self._add_aside("comment", data)

    def _add_aside(self, kind: str, text: str) -> None:
        self.markup.skeleton.append((kind, "with text" if text.strip() else "empty"))

    def handle_decl(self, decl: str) -> None:
        self.markup.skeleton.append(("declaration", decl))

    def handle_pi(self, data: str) -> None:
        self._add_aside("instruction", data)

    def unknown_decl(self, data: str) -> None:
        self._add_aside("unknown declaration", data)


def read_markup(page: str) -> Markup:
    """Parse a page; SVG, XML and Markdown are read for the tags in them."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.markup


def list_differences(hostile: Markup, twin: Markup) -> Iterator[str]:
    """How the structure of a page with hostile texts differs from that of its twin, with harmless ones in their places."""
    for number, (found, meant) in enumerate(zip(hostile.skeleton, twin.skeleton, strict=False)):
        if found != meant:
            yield f"tag {number + 1} is {' '.join(found)[:80]!r} instead of {' '.join(meant)[:80]!r}"
            return
    if len(hostile.skeleton) != len(twin.skeleton):
        yield f"{len(hostile.skeleton)} tags instead of {len(twin.skeleton)}"


def list_active(markup: Markup) -> Iterator[str]:
    """What in a page could run, or fetch something, and whether a policy forbids it."""
    yield from dict.fromkeys(markup.active)
    if markup.policy is None:
        yield "no Content-Security-Policy"
    elif "default-src 'none'" not in markup.policy or "unsafe-eval" in markup.policy or "script-src" in markup.policy:
        yield f"a Content-Security-Policy that lets scripts run: {markup.policy[:80]}"


def find_missing(texts: Sequence[str], shown: str) -> list[str]:
    """Which texts are not shown literally: of each the longest run of plain characters, since others are shown as numbers."""
    return [text for text in texts if (run := _longest_run(text)) and run not in shown]


def _longest_run(text: str) -> str:
    runs = "".join(letter if letter.isprintable() and letter.isascii() and letter != " " else " " for letter in text).split()
    return max(runs, key=len, default="")
