"""report.html and index.html in a real Chromium: nothing runs or is fetched, all can be read, on any screen and on paper."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from jivsbench.model.history import ChangePoint, HistoryRun, HistoryValue, SeriesKey, Trend
from jivsbench.report import environment
from jivsbench.report.html import HtmlReporter
from jivsbench.report.index import render_index
from jivsbench.report.views.page import build_page
from tests.gold.sample_runs import HOSTILE, HOSTILE_ATTRIBUTE, SAMPLES
from tests.machine import leave_out

pytestmark = pytest.mark.browser

_AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    # It cannot tell the colour behind most texts of a chart; `test_text_has_enough_contrast` measures every text.
    "rules": {"color-contrast": {"enabled": False}},
}
_ENOUGH = 4.5
"""WCAG 2.2, criterion 1.4.3: the least contrast of text."""
# Every element that holds text of its own, with its colour and the first background that is not transparent, as [r, g, b].
_COLOURS = """() => {
  const read = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const backdrop = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return null;
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(element);
    if (!own || style.visibility === 'hidden' || !element.getClientRects().length) continue;
    const front = read(element instanceof SVGElement ? style.fill : style.color).slice(0, 3);
    found.push([element.textContent.trim().slice(0, 40), front, backdrop(element)]);
  }
  return found;
}"""


# How many parts the Tab key should reach: those in closed details are not among them.
_STOPS = """() => [...document.querySelectorAll('a[href], summary, [tabindex="0"]')]
  .filter((one) => one.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true})).length"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; nothing is downloaded."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        leave_out("Chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class _Watch:
    """Writes down everything that a page should never do."""

    def __init__(self, page: Page) -> None:
        self.events: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.events.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.events.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.events.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request.url)


Open = Callable[..., tuple[Page, _Watch]]


@pytest.fixture
def open_report(chromium: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens the page of a sample run in a new window of the asked kind."""
    contexts: list[BrowserContext] = []

    def open_page(name: str, *, content: bytes | None = None, width: int = 1400, **options: object) -> tuple[Page, _Watch]:
        file = tmp_path / f"{name}.html"
        file.write_bytes(content or _render(name))
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        watch = _Watch(page)
        page.goto(file.as_uri(), wait_until="load")
        return page, watch

    yield open_page
    for context in contexts:
        context.close()


def _render(name: str) -> bytes:
    if name == INDEX:
        return _render_index()
    sample = SAMPLES[name]()
    return HtmlReporter().render(sample.record, sample.summary, sample.verdict).content


def _render_index() -> bytes:
    """The index of made-up runs: one of each verdict, a figure whose level changed, one of too few runs, hostile names."""
    verdicts = ("PASSED", "CONDITIONAL", "FAILED", "INVALID", "PASSED")
    runs = [
        HistoryRun(f"run-{number}", f"2030-01-0{number + 1}T00:00:00+00:00", "0" * 40, "baseline", "abcdef0123", verdict, "0")
        for number, verdict in enumerate(verdicts)
    ]
    runs.append(HistoryRun(HOSTILE, "2030-01-09T00:00:00+00:00", None, HOSTILE_ATTRIBUTE, "b", "PASSED", "0"))
    values = tuple(HistoryValue(run.run_id, run.started_at, run.git_commit, 100.0 + place) for place, run in enumerate(runs[:5]))
    change = ChangePoint(3, 101.0, 103.5, 0.01)
    trends = (
        Trend(SeriesKey("baseline", "abcdef0123", "optimized", "job.response", "p95", "ms"), values, (change,), True),
        Trend(SeriesKey(HOSTILE_ATTRIBUTE, "b", HOSTILE, "target.memory", "max", "MiB"), values[:1], (), False),
    )
    return render_index(runs, trends, {"run-0": "runs/run-0/report.html"}, "jivsbench").content


INDEX = "index"
PAGES = (*SAMPLES, INDEX)
READ_ON_A_PUSH = {("comparison", "dark"), ("all_checks", "light"), *itertools.product(("guards_empty", INDEX), ("dark", "light"))}
"""Pages in colour schemes: figures in one, findings in the other, alarms and the index in both. The night reads all in both."""


@pytest.mark.parametrize("name", PAGES)
def test_the_page_runs_nothing_and_fetches_nothing(open_report: Open, name: str) -> None:
    """No script, no console message, no dialog; the only request is the file itself."""
    page, watch = open_report(name)
    page.wait_for_timeout(200)

    assert watch.events == []
    assert [url for url in watch.requests if not url.startswith("data:")] == [page.url]
    assert page.evaluate("document.scripts.length") == 0
    assert page.title() != "owned"
    assert page.locator("meta[http-equiv='Content-Security-Policy']").count() == 1


def test_hostile_names_are_read_as_they_are(open_report: Open) -> None:
    """Markup in names of tables, scenarios, profiles, plugins and errors is text; no element comes of it."""
    page, _ = open_report("hostile")
    text = page.locator("body").inner_text()

    assert HOSTILE in text
    assert HOSTILE_ATTRIBUTE in text
    assert "[U+202E]" in text
    assert page.locator("img, script, iframe, object").count() == 0
    assert page.evaluate("[...document.querySelectorAll('*')].every(e => ![...e.attributes].some(a => a.name.startsWith('on')))")


def test_a_template_that_does_not_escape_would_be_caught(open_report: Open) -> None:
    """The same page with escaping switched off makes this watch see it: the tests above are not blind."""
    sample = SAMPLES["hostile"]()
    careless = environment.build_environment().overlay(autoescape=False)
    content = careless.get_template("page.html").render(page=build_page(sample.record, sample.summary, sample.verdict)).encode()
    page, watch = open_report("hostile", content=content)
    page.wait_for_timeout(200)

    assert page.locator("script").count() > 0
    assert any("Content Security Policy" in event for event in watch.events)


@pytest.mark.parametrize("name", ["comparison", "invalid", "no_data"])
def test_everything_can_be_read_with_scripts_blocked(open_report: Open, name: str) -> None:
    """Verdict, figures, gates, charts and what was not measured stand there without JavaScript."""
    page, _ = open_report(name, java_script_enabled=False)
    text = page.locator("main").inner_text()
    verdict = SAMPLES[name]().verdict

    assert page.locator("h1").inner_text() == verdict.outcome
    for heading in ("Key figures", "Gates", "Over time", "Operations", "Security", "What was not measured", "Measure it again"):
        assert page.get_by_role("heading", name=heading, exact=True).is_visible()
    assert all(gate.text in text for gate in verdict.gates)


@pytest.mark.parametrize("name", ["comparison", "all_checks", "conditional", "invalid"])
def test_the_first_screen_has_what_decides(open_report: Open, name: str) -> None:
    """Verdict, five figures with their limits, what was not measured and the first reason: without scrolling."""
    page, _ = open_report(name)
    parts = ["h1", ".five", ".unmeasured", *([".reasons li"] if SAMPLES[name]().verdict.reasons else [])]
    boxes = [page.locator(part).first.bounding_box() for part in parts]

    assert page.locator(".five dt").count() == 5
    assert [part for part, box in zip(parts, boxes, strict=True) if box is None or box["y"] + box["height"] > 900] == []


_LINES = """(wanted) => [...document.querySelectorAll('.five dd')].flatMap((one) => {
  const walker = document.createTreeWalker(one, NodeFilter.SHOW_TEXT), found = [];
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    for (const match of text.data.matchAll(new RegExp(wanted, 'g'))) {
      const range = document.createRange();
      range.setStart(text, match.index);
      range.setEnd(text, match.index + match[0].length);
      found.push([match[0], new Set([...range.getClientRects()].map((box) => box.top)).size]);
    }
  }
  return found;
})"""


@pytest.mark.parametrize("width", [1400, 390])
def test_numbers_of_the_first_screen_stay_whole(open_report: Open, width: int) -> None:
    """No interval and no count of samples is torn apart; on a wide screen a value keeps its unit, so the rows stand level."""
    page, _ = open_report("comparison", width=width)
    lines = page.evaluate(_LINES, r"[\d.]+\s\u2013\s[\d.]+|n\s=\s[\d,]+")
    tops = {round(box["y"]) for part in page.locator(".five dd:nth-of-type(2)").all() if (box := part.bounding_box())}

    assert len(lines) == 5
    assert [text for text, count in lines if count != 1] == []
    assert len(tops) == 1 or width < 1400


def test_depth_opens_without_scripts(open_report: Open) -> None:
    """A chart's figures unfold by a click, with JavaScript blocked."""
    page, _ = open_report("comparison", java_script_enabled=False)
    figure = page.locator("#chart-memory-of-the-target")
    figure.locator("summary").click()

    assert figure.get_by_role("rowheader", name="0:10", exact=True).is_visible()


@pytest.mark.parametrize(
    "name",
    [name if name in ("all_checks", INDEX) else pytest.param(name, marks=pytest.mark.nightly) for name in PAGES],
)
def test_the_page_keeps_the_rules_of_accessibility(open_report: Open, name: str) -> None:
    """axe-core finds nothing against WCAG 2.2 AA, with everything unfolded: names, roles, tables, headings, landmarks."""
    page, _ = open_report(name)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = Axe().run(page, options=_AXE).response

    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]] == []
    assert found["incomplete"] == []
    assert len(found["passes"]) > 20


def test_axe_sees_what_is_wrong(open_report: Open) -> None:
    """The same watch names a picture without words: the test above is not blind."""
    content = b"<!doctype html><html lang='en'><title>x</title><body><main><h1>x</h1><img src='data:,'></main></body></html>"
    page, _ = open_report("wrong", content=content)

    assert "image-alt" in [one["id"] for one in Axe().run(page, options=_AXE).response["violations"]]


def test_every_part_is_reached_by_the_keyboard(open_report: Open) -> None:
    """Tab goes from the links through everything that unfolds, each with a visible frame; Enter unfolds it."""
    page, _ = open_report("comparison")
    stops = page.evaluate(_STOPS)
    seen = set()
    for _place in range(stops):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(() => { const at = document.activeElement, style = getComputedStyle(at);"
            " return [at.tagName, style.outlineStyle, [...document.querySelectorAll('*')].indexOf(at)]; })()"
        )
        assert focused[0] == "BODY" or focused[1] == "solid"
        seen.add(focused[2])

    assert len(seen) == stops
    summary = page.locator("details.figures summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.figures").first.evaluate("(one) => one.open")


@pytest.mark.parametrize("name", PAGES)
def test_no_screen_is_too_narrow(open_report: Open, name: str) -> None:
    """The page never scrolls sideways, from a wall to a phone; wide tables scroll inside themselves."""
    page, _ = open_report(name)
    widths = (1900, 1400, 1081, 1000, 901, 820, 701, 600, 390, 320)
    overflowing = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("document.documentElement.scrollWidth") > width:
            overflowing.append(width)

    assert overflowing == []


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        pair if pair in READ_ON_A_PUSH else pytest.param(*pair, marks=pytest.mark.nightly)
        for pair in itertools.product(PAGES, ("light", "dark"))
    ],
)
def test_text_has_enough_contrast(open_report: Open, name: str, scheme: str) -> None:
    """Every visible text reaches 4.5:1 against its background, in the light and in the dark."""
    page, _ = open_report(name, color_scheme=scheme)
    weak = [
        (text, round(_contrast(front, back), 2))
        for text, front, back in page.evaluate(_COLOURS)
        if _contrast(front, back) < _ENOUGH
    ]

    assert weak == []
    assert _luminance(page.evaluate(_COLOURS)[0][2]) < 0.1 or scheme == "light"


def test_an_invalid_run_shows_no_green(open_report: Open) -> None:
    """Neither the verdict nor a gate nor a figure of an invalid run is painted in the colour of success."""
    page, _ = open_report("invalid")
    green = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--good').trim()")
    painted = page.evaluate(_COLOURS)
    wanted = [int(green[place : place + 2], 16) for place in (1, 3, 5)]

    top = page.locator(".verdict, #figures, #gates")
    assert top.count() == 3
    assert page.locator(".verdict .tone-good, #figures .tone-good, #gates .tone-good, .verdict.tone-good").count() == 0
    assert page.get_by_text("These figures do not count").is_visible()
    security = page.locator("#security").inner_text()
    assert [text for text, front, _ in painted if front == wanted and text not in security and text != "Yes."] == []


@pytest.mark.parametrize("name", ["comparison", "one_arm"])
def test_charts_are_drawn_and_described(open_report: Open, name: str) -> None:
    """Every chart has a size, a title, a description, lines or dots, and its figures as a table."""
    page, _ = open_report(name)
    charts = page.locator("svg.plot")
    count = charts.count()

    assert count >= 7
    for place in range(count):
        chart = charts.nth(place)
        box = chart.bounding_box()
        assert box is not None
        assert box["height"] > 100
        assert chart.locator("title").text_content()
        assert chart.locator("desc").text_content()
        assert chart.locator("path.line, circle.dot").count() > 0
        assert chart.locator("xpath=..").locator("tbody tr").count() > 0


def test_ids_are_unique_and_headings_do_not_skip(open_report: Open) -> None:
    """Links lead to one place each, and every section of the list exists; a heading is at most one level deeper than the last."""
    page, _ = open_report("comparison")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    targets = page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href').slice(1))")
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map(e => Number(e.tagName[1]))")

    assert len(ids) == len(set(ids))
    assert set(targets) <= set(ids)
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_the_page_prints(open_report: Open) -> None:
    """The page becomes a PDF of several sheets, without the list of sections and the charts' tables."""
    page, _ = open_report("comparison", color_scheme="dark")
    page.emulate_media(media="print")

    assert not page.locator("nav").is_visible()
    assert not page.locator("details.figures").first.is_visible()
    assert page.locator("svg.plot").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") >= 3


def _luminance(colour: list[float]) -> float:
    parts = [value / 255 for value in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(front: list[float], back: list[float]) -> float:
    lighter, darker = sorted((_luminance(front), _luminance(back)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
