"""Offers a folder of the check's own to a target, as a data source of the connector `files`, as an administrator does."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from jivsbench.api import CheckContext, Response
from jivsbench.errors import InvalidRunError, UnknownNameError
from jivsbench_security.extractions import Ending, Extractions, read_slug

_TOGETHER: Final = 16


@dataclass(frozen=True, slots=True)
class FileSource:
    """A folder that the target reads as a data source."""

    name: str
    root: Path
    extractions: Extractions

    def run(self, table: str, **more: object) -> Ending:
        """Extract one table to the end."""
        return self.extractions.run(self._ask(table, more))

    def run_all(self, tables: Sequence[str]) -> list[Ending]:
        """Extract many, some at a time."""
        found: list[Ending] = []
        for start in range(0, len(tables), _TOGETHER):
            found += self.extractions.run_all([self._ask(table, {}) for table in tables[start : start + _TOGETHER]])
        return found

    def require(self, *tables: str) -> None:
        """Raises InvalidRunError when one of these harmless tables cannot be had: then refusals of others say nothing."""
        refused = [table for table, ending in zip(tables, self.run_all(tables), strict=True) if not ending.is_completed]
        if refused:
            raise InvalidRunError(f"a source of files gave none of its harmless tables: {', '.join(refused)}")

    def _ask(self, table: str, more: Mapping[str, object]) -> dict[str, object]:
        # The format that the checks read again, whatever the profile's own is.
        return {"source": self.name, "table": table, "format": "parquet", **more}


def write_url(root: Path, **options: object) -> str:
    """The URL of a folder."""
    return f"files://{quote(str(root))}" + (f"?{urlencode(options)}" if options else "")


def add_source(context: CheckContext, url: str) -> tuple[str, Response]:
    """Ask the target for a new data source with that URL; its name, and the answer."""
    name = f"check-{secrets.token_hex(6)}"
    return name, context.target.call("POST", "/data-sources", {"name": name, "connector": "files", "url": url})


def remove_source(context: CheckContext, name: str) -> None:
    """Ask the target to forget a data source."""
    context.target.call("DELETE", f"/data-sources/{name}")


@contextmanager
def offer_folder(context: CheckContext, root: Path, **options: object) -> Iterator[FileSource]:
    """A data source for as long as the block. Raises UnknownNameError when the target has no connector for files."""
    name, answer = add_source(context, write_url(root, **options))
    if answer.status != HTTPStatus.CREATED:
        slug = read_slug(answer)
        if slug == UnknownNameError.slug:
            raise UnknownNameError("the target loads no connector `files`")
        raise InvalidRunError(f"the target takes no folder as a data source: it answered {answer.status} ({slug})")
    try:
        yield FileSource(name, root, Extractions(context.target))
    finally:
        remove_source(context, name)
