"""Opens pages in a headless Chromium and writes down everything that a page should never do. Needs Playwright, and a Chromium.

Nothing is downloaded: a browser that is installed is used, or none.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jivsbench.errors import InvalidRunError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog

_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_MS: Final = 20_000
_SETTLE_MS: Final = 150
_MOST_EVENTS: Final = 10
_SCREAMING: Final = "<!doctype html><script>alert(1)</script><img src=http://127.0.0.1:9/x><script>nothing.at.all</script>"
_SIGNS: Final = ("dialog", "request", "error")


def find_obstacle() -> str | None:
    """Why no page can be opened on this machine; None when one can."""
    if find_spec("playwright") is None:
        return "Playwright is not installed"
    return None if _find_program() else "no Chromium is installed"


def watch_pages(pages: Iterable[Path]) -> Iterator[tuple[Path, list[str]]]:
    """What each page did that none should. Raises InvalidRunError when a page that misbehaves is not seen to do so."""
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            # Its sandbox needs rights that a container does not give; what is opened is a file of our own.
            browser = playwright.chromium.launch(executable_path=_find_program(), args=["--no-sandbox"], timeout=_TIMEOUT_MS)
            try:
                _prove_sight(browser)
                for page in pages:
                    yield page, _watch(browser.new_context(), page)
            finally:
                browser.close()
    except Error as problem:
        raise InvalidRunError(f"the browser did not open the pages ({type(problem).__name__})") from problem


def _prove_sight(browser: "Browser") -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "screaming.html")
        page.write_text(_SCREAMING)
        seen = _watch(browser.new_context(), page)
    missed = [sign for sign in _SIGNS if not any(event.startswith(sign) for event in seen)]
    if missed:
        raise InvalidRunError(f"the browser was shown a page that misbehaves, and no {', '.join(missed)} was noticed")


def _watch(context: "BrowserContext", file: Path) -> list[str]:
    events: list[str] = []
    try:
        page = context.new_page()
        page.set_default_timeout(_TIMEOUT_MS)
        page.on("console", lambda message: events.append(f"console {message.type}: {message.text[:120]}"))
        page.on("pageerror", lambda error: events.append(f"error: {str(error)[:120]}"))
        page.on("dialog", lambda dialog: _note_dialog(events, dialog))
        page.on("popup", lambda _popup: events.append("popup"))
        page.on("request", lambda request: _note_request(events, request.url, file.as_uri()))
        page.goto(file.as_uri(), wait_until="load")
        page.wait_for_timeout(_SETTLE_MS)
        scripts = page.evaluate("document.querySelectorAll('script, iframe, object, embed').length")
        if scripts:
            events.append(f"{scripts} elements that run something")
        if page.url != file.as_uri():
            events.append("the page went elsewhere")
    finally:
        context.close()
    return events[:_MOST_EVENTS]


def _note_dialog(events: list[str], dialog: "Dialog") -> None:
    events.append(f"dialog: {dialog.message[:40]}")
    dialog.dismiss()


def _note_request(events: list[str], url: str, own: str) -> None:
    if url != own and not url.startswith("data:"):
        events.append(f"request: {url[:80]}")


def _find_program() -> str | None:
    return next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
