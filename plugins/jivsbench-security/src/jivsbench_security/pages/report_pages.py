"""SEC-026: however a table, plugin, scenario, host or error is called, in a report it is text that runs and fetches nothing."""

import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.exchanges import API, Client
from jivsbench_security.hostile_check import CountedSession, HostileCheck, Reported
from jivsbench_security.pages.page_markup import Markup, find_missing, list_active, list_differences, read_markup
from jivsbench_security.pages.page_watch import find_obstacle, watch_pages
from jivsbench_security.places import Place, generate_for

_PAGE: Final = "report.html"
_MARKED: Final = frozenset({".html", ".svg", ".xml", ".md"})
_FAST_TEXTS: Final = 60
_FULL_ROUNDS: Final = 20
_SENT: Final = 15
"""Texts of each round that are sent to the target besides."""
_MOST_WITHOUT_BROWSER: Final = 4
"""Findings; the rest is for what the browser sees."""
_SHOWN: Final = 120


class ReportPagesCheck(HostileCheck):
    """Renders every report of runs whose names and errors are markup, reads them with a parser, and opens them in a browser."""

    id = "SEC-026"
    title = "Names and errors in reports are text: nothing runs, nothing is fetched, everything is read as it is"
    severity = Severity.HIGH
    cwe = ("CWE-79",)
    # Templates that do not escape.
    vulnerable = TargetVariant("vulnerable-careless-pages", plugins=("jivsbench.testing.vulnerable.careless_pages",))

    def run(self, context: CheckContext) -> CheckResult:
        """Attack."""
        session = PageSession(self, context)
        with session.client:
            result = self._attack(context, session, session.attack)
        if session.obstacle is not None and result.outcome is CheckOutcome.PASS:
            # The parser found nothing; but what a browser makes of the pages nobody has seen.
            reason = f"{session.obstacle}, so nobody saw the pages run; by a parser alone: {session.describe()}"
            return self._leave_out(context, CheckOutcome.NOT_TESTED, reason)
        return result


class PageSession(CountedSession):
    """One run. A text has reached the reports when it is shown there."""

    def __init__(self, check: Reported, context: CheckContext) -> None:
        super().__init__(check)
        self._context = context
        self.client = Client(context.base_url, context.token)
        self.obstacle = find_obstacle()

    def describe(self) -> str:
        """One line for the result."""
        seen = "" if self.obstacle else ", opened in Chromium"
        return f"{self.reached} of {self.attempted} texts shown in reports and answers{seen}, {len(self.findings)} findings"

    def run_benign(self) -> int:
        """1 when the target says what it is, which is no page."""
        answer = self.client.send("GET", f"{API}/profile")
        return int(answer.status == HTTPStatus.OK and bool(answer.document.get("name")))

    def attack(self) -> None:
        """Rounds of texts in reports, each beside a harmless twin; then some of them as names in requests."""
        rounds = list(self._list_rounds())
        rendered: Future[list[Path]] = Future()
        with ThreadPoolExecutor(1, thread_name_prefix="browser") as opener:
            # A browser takes as long to start as the reports take to be rendered.
            seen = opener.submit(_open_rendered, rendered) if self.obstacle is None else None
            try:
                self._render(rounds, rendered)
            finally:
                # The opener waits for it; a result that is set stays.
                rendered.cancel()
            for texts in rounds:
                for text in texts[:_SENT]:
                    self._send(text)
            for page, events in seen.result() if seen else ():
                for event in events:
                    self._tell(f"{page.name} in Chromium: {event}", most=self.most_findings)

    def _render(self, rounds: list[list[str]], rendered: "Future[list[Path]]") -> None:
        twins = [[f"harmless text {number}" for number in range(len(texts))] for texts in rounds[:1]]
        twin, *folders = self._context.render_reports([*twins, *rounds])
        rendered.set_result([folder / _PAGE for folder in folders])
        meant = read_reports(twin)
        for texts, folder in zip(rounds, folders, strict=True):
            self._judge_reports(texts, read_reports(folder), meant)

    def _list_rounds(self) -> Iterator[list[str]]:
        """As many texts a round as the twin has; the user's own come last."""
        drawn = (payload.text for payload in generate_for(Place.REPORT, random.Random(self._context.seed)))  # noqa: S311
        for _ in range(_FULL_ROUNDS if self._context.is_full else 1):
            yield list(itertools.islice(drawn, _FAST_TEXTS))
        own = list(dict.fromkeys(self._context.corpus))
        for start in range(0, len(own), _FAST_TEXTS):
            texts = own[start : start + _FAST_TEXTS]
            yield [*texts, *itertools.islice(drawn, _FAST_TEXTS - len(texts))]

    def _judge_reports(self, texts: list[str], reports: Mapping[str, Markup], twins: Mapping[str, Markup]) -> None:
        if reports.keys() != twins.keys():
            raise InvalidRunError(f"two runs were rendered, one to {len(reports)} reports with markup and one to {len(twins)}")
        for name, found in reports.items():
            for difference in list_differences(found, twins[name]):
                self._tell(f"{name}: {difference}", [text for text in texts if "<" in text])
        page = reports[_PAGE]
        for active in list_active(page):
            self._tell(f"{_PAGE}: {active}", _find_authors(active, texts))
        missing = find_missing(texts, "".join(page.texts))
        self.tally.count(len(texts) - len(missing), is_met=True)
        self.tally.count(len(missing), is_met=False, is_answered=True)
        for text in missing:
            self._tell(f"{_PAGE}: a text is not shown as it is", [text])

    def _send(self, text: str) -> None:
        """The target answers with JSON, and says so: a browser that is led there shows no page."""
        name = text[:100]
        for method, path, body in (
            ("GET", f"{API}/{quote(name, safe='', errors='surrogateescape')}", None),
            ("POST", f"{API}/extractions", {"source": self._context.source, "table": name}),
        ):
            answer = self.client.send(method, path, body)
            self.tally.count(is_met=bool(answer.status))
            media_type = answer.header("content-type") or ""
            if answer.status and ("json" not in media_type or answer.header("x-content-type-options") != "nosniff"):
                self._tell(f"{method}: an answer of type {media_type!r} that a browser may take for a page", [text])

    def _tell(self, evidence: str, texts: Sequence[str] = (), *, most: int = _MOST_WITHOUT_BROWSER) -> None:
        """Once, unless there are so many findings already; the first of the texts is shown as the one that did it."""
        if len(self.findings) >= most or any(finding.evidence == evidence for finding in self.findings):
            return
        shown = json.dumps(texts[0][:_SHOWN]) if texts else "the same texts"
        reproducer = f"name a table, plugin or scenario {shown}, and open {_PAGE}"
        self.add("a name or an error became part of a page", evidence, reproducer)


def _open_rendered(rendered: "Future[list[Path]]") -> list[tuple[Path, list[str]]]:
    """What the pages do, once they are there; the browser is started and proves its sight meanwhile."""
    return list(watch_pages(page for pages in (rendered,) for page in pages.result()))


def read_reports(folder: Path) -> dict[str, Markup]:
    """The reports of one run that hold markup, by name. Raises InvalidRunError without a page: nothing could be seen in it."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix in _MARKED]
    if not any(file.name == _PAGE for file in files):
        raise InvalidRunError(f"no {_PAGE} was rendered, so no page could show anything")
    return {file.name: read_markup(file.read_text(encoding="utf-8")) for file in files}


def _find_authors(active: str, texts: list[str]) -> list[str]:
    """The texts that could have brought an element, the shortest first."""
    tag = active.strip("<>").partition(" ")[0].lower()
    return sorted((text for text in texts if f"<{tag}" in text.lower()), key=len)
