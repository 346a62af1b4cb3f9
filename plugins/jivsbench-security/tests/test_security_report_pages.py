"""SEC-026: reports that were not rendered show nothing, and a browser that waits for them does not wait for ever."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from jivsbench.api import CheckContext
from jivsbench.errors import InvalidRunError
from jivsbench.model.secret import Secret
from jivsbench_security.pages import report_pages
from jivsbench_security.pages.report_pages import PageSession, ReportPagesCheck, read_reports

Write = Callable[[Path, int], None]


def build_session(folder: Path, write: Write) -> PageSession:
    """A run whose rounds are rendered so; nobody answers requests."""

    def render(rounds: Sequence[Sequence[str]]) -> tuple[Path, ...]:
        folders = tuple(Path(tempfile.mkdtemp(dir=folder)) for _ in rounds)
        for number, one in enumerate(folders):
            write(one, number)
        return folders

    context = SimpleNamespace(
        base_url="http://127.0.0.1:1",
        token=Secret("t" * 20),
        seed=7,
        is_full=False,
        corpus=(),
        source="main",
        render_reports=render,
    )
    return PageSession(ReportPagesCheck(), cast("CheckContext", context))


def watch_nothing(pages: Iterable[Path]) -> Iterator[tuple[Path, list[str]]]:
    """A browser to which every page is quiet."""
    return ((page, []) for page in pages)


def test_a_folder_without_a_page_shows_nothing(tmp_path: Path) -> None:
    """Other reports may be there."""
    (tmp_path / "summary.md").write_text("# x")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InvalidRunError, match=r"no report\.html"):
        read_reports(tmp_path)

    (tmp_path / "report.html").write_text("<p>x</p>")
    assert set(read_reports(tmp_path)) == {"report.html", "summary.md"}


@pytest.mark.parametrize("obstacle", [None, "no browser"])
def test_reports_that_are_missing_are_no_pass(obstacle: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None at all, and one less than the twin has; whoever waits for them goes home."""
    monkeypatch.setattr(report_pages, "watch_pages", watch_nothing)

    def write_less(folder: Path, number: int) -> None:
        for name in ("report.html", "summary.md")[: 2 - number]:
            (folder / name).write_text("<p>x</p>")

    for write, told in ((lambda _folder, _number: None, "no report"), (write_less, "one to 1 reports")):
        session = build_session(tmp_path, cast("Write", write))
        session.obstacle = obstacle
        with pytest.raises(InvalidRunError, match=told):
            session.attack()


def test_a_rendering_that_fails_frees_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is told, and nothing hangs."""
    monkeypatch.setattr(report_pages, "watch_pages", watch_nothing)

    def fail(_folder: Path, _number: int) -> None:
        raise InvalidRunError("the process that renders ended")

    session = build_session(tmp_path, fail)
    session.obstacle = None

    with pytest.raises(InvalidRunError, match="renders ended"):
        session.attack()


def test_what_a_browser_sees_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each page, once it was rendered."""
    monkeypatch.setattr(report_pages, "watch_pages", lambda pages: ((page, ["dialog: 1"]) for page in pages if page.exists()))

    def write(folder: Path, _number: int) -> None:
        (folder / "report.html").write_text("<p>x</p>")

    session = build_session(tmp_path, write)
    session.obstacle = None
    session.attack()

    assert any(finding.evidence == "report.html in Chromium: dialog: 1" for finding in session.findings)


def test_a_text_that_is_not_shown_is_a_hole_and_no_lack_of_an_answer(tmp_path: Path) -> None:
    """An empty page shows none; of the requests, which nobody answers, nothing is known."""

    def write(folder: Path, _number: int) -> None:
        (folder / "report.html").write_text("<p></p>")

    session = build_session(tmp_path, write)
    session.obstacle = "no browser"
    session.attack()
    requests = len(session.client.exchanges)

    assert (session.attempted - requests, session.reached, session.unanswered) == (60, 0, requests)
    assert "report.html: a text is not shown as it is" in [finding.evidence for finding in session.findings]


def test_what_the_parser_finds_leaves_room_for_what_the_browser_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four and two, of more."""
    events = [f"dialog: {number}" for number in range(5)]
    monkeypatch.setattr(report_pages, "watch_pages", lambda pages: ((page, events) for page in pages))

    def write(folder: Path, number: int) -> None:
        (folder / "report.html").write_text("<p></p>" + "".join(f"<i on{kind}=x></i>" for kind in range(9 * number)))

    session = build_session(tmp_path, write)
    session.obstacle = None
    session.attack()

    assert ["in Chromium" in finding.evidence for finding in session.findings] == [False] * 4 + [True] * 2
