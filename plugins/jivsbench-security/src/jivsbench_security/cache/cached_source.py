"""A data source of a check's own, and what the target keeps of it in its cache server.

The source is the target's own under another name: whatever key holds that name was written by this target, for this check.
"""

import http.client
import secrets
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from jivsbench.api import CheckContext, TableLoader
from jivsbench.errors import InvalidRunError, JivsbenchError
from jivsbench.model.table import TableName
from jivsbench_security.cache.cache_server import CacheServer
from jivsbench_security.extractions import Ending, Extractions
from jivsbench_security.second_sources import second_source

_OK: Final = 200
BUSY: Final = frozenset({0, 408, 429, 502, 503, 504})
"""Answers, and none, that say nothing of what was asked."""
_MISSES: Final = "jivsbench_cache_misses_total"
_LOOKUPS: Final = "jivsbench_cache_lookups_total"
_ABSENT: Final = "absent"
_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What the API says when everything cached of a source is needed: its facts, and the columns of its table."""

    facts: Any
    columns: tuple[str, ...] | None


class CachedSource:
    """One source, known to the target and to its cache."""

    def __init__(self, context: CheckContext, server: CacheServer, name: str) -> None:
        self.context = context
        self.server = server
        self.name = name
        self.extractions = Extractions(context.target)

    def body(self) -> dict[str, object]:
        """The request for the seeded table."""
        return {"source": self.name, "table": self.context.table, "row_limit": 1}

    def ask_facts(self) -> Any:
        """GET /data-sources/NAME, which the target may answer out of its cache; None unless it is 200.

        Raises InvalidRunError when the target was too busy to say anything.
        """
        answer = self.context.target.call("GET", f"/data-sources/{self.name}")
        if answer.status in BUSY:
            raise InvalidRunError(f"the target was asked for a data source and answered {answer.status or 'nothing'}")
        return answer.body if answer.status == _OK else None

    def ask_columns(self, body: Mapping[str, object] | None = None) -> tuple[str, ...] | None:
        """The columns of an extraction, whose schema the target may take out of its cache; None when it fails.

        Raises InvalidRunError when it ended in a way that says nothing of the request.
        """
        ending = self.run(body)
        if not ending.is_verdict:
            raise InvalidRunError(f"an extraction of the check's own ended in {ending.slug or 'no answer'}")
        return tuple(self.context.read_output(ending.job).column_names) if ending.is_completed else None

    def run(self, body: Mapping[str, object] | None = None) -> Ending:
        """One extraction, of the seeded table unless something else is asked for."""
        return self.extractions.run(body or self.body())

    def ask(self) -> Answers:
        """Both."""
        return Answers(self.ask_facts(), self.ask_columns())

    def list_keys(self) -> tuple[bytes, ...]:
        """Where the target keeps something of this source; without the locks of loads under way."""
        needle = self.name.encode()
        return tuple(key for key in self.server.list_keys() if is_about(key, needle))

    def entries(self) -> dict[bytes, bytes]:
        """What the target keeps of this source, by key."""
        return self.server.read(self.list_keys())


def is_about(key: bytes, name: bytes) -> bool:
    """True for a key that holds a name, and is no lock."""
    return name in key and not key.endswith(b"#load")


def find_no_cache(context: CheckContext) -> str | None:
    """Why the target has no entries in a cache server to attack; None when it has."""
    if context.cache_url is None:
        return "the target's cache is no server"
    profile = context.target.call("GET", "/profile").body
    switches = profile.get("switches") if isinstance(profile, Mapping) else None
    if isinstance(switches, Mapping) and switches.get("cache") is False:
        return "the target's profile reads nothing through its cache"
    return None


@contextmanager
def drop_afterwards(context: CheckContext, loader: TableLoader, table: TableName) -> Iterator[None]:
    """The table is gone after the block. What the block raised is told, and not that its table could not be dropped either."""
    try:
        yield
    except BaseException:
        with suppress(JivsbenchError):
            loader.drop_table(context.data_source(), table)
        raise
    loader.drop_table(context.data_source(), table)


@contextmanager
def add_source(context: CheckContext, server: CacheServer, *, tables: tuple[str, ...] | None = None) -> Iterator[CachedSource]:
    """A source of the check's own, removed at the end. Raises InvalidRunError when the target does not take it."""
    source = CachedSource(context, server, f"check-{secrets.token_hex(6)}")
    try:
        with second_source(context, source.name, tables=tables):
            yield source
    finally:
        server.remove(tuple(source.entries()))


def count_misses(context: CheckContext) -> int:
    """The target's own counters of look-ups that found something there and did not read it."""
    return sum(count for kind, count in parse_counters(_read_metrics(context), _MISSES).items() if kind != _ABSENT)


def count_errors(context: CheckContext) -> int:
    """The target's own counter of look-ups that its cache server did not answer in time."""
    return parse_counters(_read_metrics(context), _LOOKUPS).get("error", 0)


def _read_metrics(context: CheckContext) -> str:
    request = urllib.request.Request(  # noqa: S310 - the target's own URL
        f"{context.base_url.rstrip('/')}/metrics", headers={"Authorization": f"Bearer {context.token.reveal()}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the same
            return str(answer.read().decode())
    except (OSError, http.client.HTTPException) as exc:
        raise InvalidRunError("the target's metrics could not be read") from exc


def parse_counters(text: str, name: str) -> dict[str, int]:
    """Counters of a name by the value of their one label, out of the text format of Prometheus."""
    lines = [line.removeprefix(name) for line in text.splitlines() if line.startswith(name + "{")]
    pairs = (line.partition("} ") for line in lines)
    return {labels.split('"')[1]: int(float(count)) for labels, _, count in pairs}
