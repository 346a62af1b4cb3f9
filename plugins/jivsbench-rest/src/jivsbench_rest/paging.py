"""From one page to the next until there is none, without losing one, reading one twice, or going round in circles.

A page with fewer records than were asked for is not taken for the last one: servers cap sizes without a word. By page and by
offset the end is an empty page, or the total that the API states.
"""

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from jivsbench.errors import ExtractionError, MissingObjectError
from jivsbench.model.table import TableName
from jivsbench.model.whole_numbers import parse_whole_number
from jivsbench_rest.address import Address, Paging
from jivsbench_rest.documents import BadDocumentError, find_value, parse_document, read_records
from jivsbench_rest.exchange import Answer, Exchange

_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s\",;]+))?)*)")
_PARAMETER = re.compile(r";\s*([^\s=;,]+)(?:\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",;]+)))?")


@dataclass(slots=True)
class Survey:
    """What was learnt of a resource while its pages came."""

    pages: int = 0
    received: int = 0
    total: int | None = None
    """All records, as the API states it; None where the URL names no total."""
    version: str | None = None
    etag: str | None = None
    """Of the first page."""
    targets: set[str] = field(default_factory=set)
    digests: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one answer, and the answer."""

    records: list[dict[str, Any]]
    document: Any
    answer: Answer


class Pager:
    """Reads the pages of one resource, in order."""

    def __init__(self, exchange: Exchange, address: Address, table: TableName, timeout_s: float) -> None:
        self._exchange = exchange
        self._address = address
        self._options = address.options
        self.resource = str(table)
        self._asked = f"resource {self.resource!r}"
        self._path = f"{address.path}/{'/'.join(_quote(name) for name in (table.namespace, table.name) if name is not None)}"
        self._deadline_s = time.monotonic() + timeout_s

    def first(self) -> Survey:
        """What the first page alone tells."""
        survey = Survey()
        self._fetch(self._first_target(), survey)
        return survey

    def pages(self, survey: Survey) -> Iterator[Page]:
        """Every page. Raises ExtractionError when one came twice, or when not as many records came as the API states."""
        target: str | None = self._first_target()
        while target is not None:
            if target in survey.targets:
                raise ExtractionError(
                    f"{self._asked}: page {survey.pages} leads back to one that was read: its paging goes in a circle"
                )
            if survey.pages >= self._options.max_pages:
                raise ExtractionError(
                    f"{self._asked} has more than {self._options.max_pages} pages: raise max_pages if that is right"
                )
            survey.targets.add(target)
            page = self._fetch(target, survey)
            self._check_repetition(page, survey)
            target = self._find_next(page, survey)
            yield page
        if survey.total is not None and survey.received != survey.total:
            raise ExtractionError(
                f"{self._asked} has {survey.total} records by its own total, and {survey.received} came in {survey.pages} pages: "
                "a page was lost or came twice, or it changed while it was read; nothing of it can be trusted"
            )

    def _fetch(self, target: str, survey: Survey) -> Page:
        answer = self._exchange.get(target, self._deadline_s, self._asked)
        try:
            document = parse_document(answer.body)
        except BadDocumentError as problem:
            raise ExtractionError(f"{self._asked}: page {survey.pages + 1} cannot be read: {problem}") from None
        page = Page(read_records(document, self._options.records, self.resource), document, answer)
        self._note(page, survey)
        return page

    def _note(self, page: Page, survey: Survey) -> None:
        total, version = self._read_total(page), page.answer.headers.get(self._options.version) if self._options.version else None
        if self._options.version and version is None:
            raise ExtractionError(
                f"{self._asked}: an answer has no header {self._options.version!r}: correct `version` in the URL"
            )
        if survey.pages == 0:
            survey.total, survey.version, survey.etag = total, version, page.answer.headers.get("etag")
        elif (total, version) != (survey.total, survey.version):
            raise ExtractionError(f"{self._asked} changed while it was read, by its total or version: start the extraction again")
        survey.pages += 1
        survey.received += len(page.records)

    def _read_total(self, page: Page) -> int | None:
        path = self._options.total
        if not path:
            return None
        if path.startswith("header:"):
            found: Any = parse_whole_number(page.answer.headers.get(path.removeprefix("header:"), "").strip())
        else:
            found = find_value(page.document, path)[1]
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise ExtractionError(
                f"{self._asked} states no total at {path!r}: correct `total` in the source's URL, or leave it out"
            )
        return found

    def _check_repetition(self, page: Page, survey: Survey) -> None:
        if not page.records or self._options.paging is Paging.NONE:
            return
        digest = hashlib.blake2b(repr(page.records).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in survey.digests:
            raise ExtractionError(
                f"{self._asked}: page {survey.pages} holds the same records as an earlier one: the API repeats a page, "
                "or does not know the parameter it is asked by"
            )
        survey.digests.add(digest)

    def _first_target(self) -> str:
        options = self._options
        match options.paging:
            case Paging.PAGE:
                return self._build_target({options.page_parameter: options.first_page})
            case Paging.OFFSET:
                return self._build_target({options.offset_parameter: 0})
        return self._build_target({})

    def _find_next(self, page: Page, survey: Survey) -> str | None:
        options = self._options
        match options.paging:
            case Paging.CURSOR:
                return self._find_cursor(page, survey)
            case Paging.LINK:
                link = find_next_link(page.answer.headers.get("link", ""))
                return None if link is None else self._exchange.resolve(page.answer.target, link, self._asked)
        if options.paging is Paging.NONE or not page.records or survey.received == survey.total:
            return None
        if options.paging is Paging.PAGE:
            return self._build_target({options.page_parameter: options.first_page + survey.pages})
        return self._build_target({options.offset_parameter: survey.received})

    def _find_cursor(self, page: Page, survey: Survey) -> str | None:
        options = self._options
        is_there, cursor = find_value(page.document, options.cursor)
        if not is_there and survey.pages == 1 and survey.total is None and not options.cursor_may_be_missing:
            # A misspelt path would make the first page the last one, in silence.
            raise ExtractionError(
                f"{self._asked} has no cursor at {options.cursor!r}: correct `cursor` in the source's URL, or name its `total`, "
                "or say cursor_may_be_missing=true"
            )
        if cursor is None or cursor == "":
            return None
        if isinstance(cursor, bool) or not isinstance(cursor, str | int):
            raise ExtractionError(f"{self._asked}: its cursor at {options.cursor!r} is neither text nor number: correct `cursor`")
        return self._build_target({options.cursor_parameter: cursor})

    def _build_target(self, parameters: dict[str, str | int]) -> str:
        options = self._options
        if options.paging is not Paging.NONE and options.size_parameter:
            parameters = {**parameters, options.size_parameter: options.page_size}
        return f"{self._path}?{urlencode(parameters)}" if parameters else self._path


def find_next_link(header: str) -> str | None:
    """Where a Link header (RFC 8288) says that the next page is; None when it does not."""
    for link in _LINK.finditer(header):
        # One after the other: what looks like a relation within another one's quotes, a title's say, is none.
        relations = (quoted or bare for name, quoted, bare in _PARAMETER.findall(link[2]) if name.lower() == "rel")
        if "next" in next(relations, "").lower().split():
            return link[1]
    return None


def _quote(name: str) -> str:
    """A name as one segment of a path, which it cannot leave."""
    if not name.strip(".") or not name.isprintable():
        raise MissingObjectError(f"no resource is called {name!r}: name one without control characters, and not . or ..")
    return quote(name, safe="")
