"""Sends the attacks of SEC-024 one by one and judges each answer."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Final

from jivsbench.errors import InvalidRunError
from jivsbench_security.cache.cached_source import BUSY, Answers, CachedSource, count_errors
from jivsbench_security.cache.poisoning import PAUSE_S, Poisoning
from jivsbench_security.extractions import INTERNAL_ERROR
from jivsbench_security.hostile_check import MOST_FINDINGS, CountedSession, Reported

_MAX_TAMPERED: Final = 2
_LONGEST_KEY: Final = 1024
_MEGABYTE: Final = 1 << 20
_LONG_QUERY: Final = 60_000
_TRIES: Final = 3
_MOST_GIVEN_UP: Final = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is tried. None: every bit."""

    choice: random.Random
    flips: int | None
    schema_flips: int | None
    requests: int


class ConfusionSession(CountedSession):
    """One run against one target. Its attacks are the entries that it writes, and the requests that might be confused."""

    most_findings = MOST_FINDINGS + 5
    """Those of the long names besides: they are other holes than those of the requests before them."""

    def __init__(
        self, check: Reported, sources: tuple[CachedSource, CachedSource], table: str, columns: tuple[str, ...], plan: Plan
    ) -> None:
        super().__init__(check)
        self._source, self._other = sources
        self._table = table
        self._columns = columns
        self._plan = plan
        self._poisoning = Poisoning(self._source, self.tally)
        self._pairs = 0
        self._errors = 0

    def describe(self) -> str:
        """One line for the result."""
        return (
            f"{self._poisoning.written} entries altered, cut or moved, {self._pairs} pairs of keys compared, "
            f"{len(self.findings)} findings"
        )

    def run_benign(self) -> int:
        """Both sources' facts and one row."""
        answers = [source.ask() for source in (self._source, self._other)]
        return int(all(one.facts is not None and one.columns is not None for one in answers))

    def attack(self) -> None:
        """What an attacker on the cache server can do, then what one at the API can."""
        wanted, entries = self._source.ask(), self._source.entries()
        self._other.ask()
        foreign = self._other.entries()
        if not entries or not foreign:
            raise InvalidRunError("the target put nothing about a data source into its cache server: is it the target's own?")
        self._alter(entries, wanted)
        self._swap(entries, foreign, wanted)
        self._confuse()
        self._send_long_names()

    def _alter(self, entries: dict[bytes, bytes], wanted: Answers) -> None:
        """Bits turned, ends cut off and added."""
        for key, genuine in entries.items():
            is_schema = b"schema" in key
            flips = self._plan.schema_flips if is_schema else self._plan.flips
            for what, altered in alter(genuine, flips, self._plan.choice):
                self._try({key: altered}, wanted, what, with_columns=is_schema)

    def _swap(self, entries: dict[bytes, bytes], foreign: dict[bytes, bytes], wanted: Answers) -> None:
        """Genuine entries under each other's keys: of the other source, and of the other kind."""
        for key, genuine in entries.items():
            is_schema = b"schema" in key
            moved = [value for value in (*foreign.values(), *entries.values()) if value != genuine]
            for content in moved:
                self._try({key: content}, wanted, "a genuine entry of another place", with_columns=is_schema)

    def _try(self, poisoned: dict[bytes, bytes], wanted: Answers, what: str, *, with_columns: bool) -> None:
        if len(self.findings) >= _MAX_TAMPERED:
            return
        problem = self._poisoning.replace(poisoned, wanted, with_columns=with_columns)
        if problem:
            self.add(
                "an entry that was tampered with was believed",
                f"{what}: {problem}",
                "SET of altered bytes under the key of a source",
            )

    def _confuse(self) -> None:
        """Lists of columns that careless keys take for each other: each has its own columns, and its own key."""
        wanted = list(list_requests(self._columns, self._plan.requests, self._plan.choice))
        keys, compared, given_up = set(self._source.list_keys()), 0, 0
        self._errors = count_errors(self._source.context)
        for columns in wanted:
            try:
                got, made = self._ask_for(columns, keys)
            except InvalidRunError:
                self.tally.count(is_met=False)
                given_up += 1
                if given_up >= _MOST_GIVEN_UP:
                    raise
                continue
            self.tally.count(is_met=True)
            self._pairs += compared
            compared += 1
            keys |= made
            if got != columns:
                shown = f"POST /api/v1/extractions with columns {columns!r} after others of the same table"
                self.add(
                    "a request was answered with the cached schema of another", "the columns were not those asked for", shown
                )
            elif not made:
                shown = f"POST /api/v1/extractions with columns {columns!r} after others of the same table, then SCAN"
                self.add("different requests share a key of the cache", "a request never made before made no key", shown)
            if len(self.findings) >= MOST_FINDINGS:
                return

    def _ask_for(self, columns: tuple[str, ...], known: set[bytes]) -> tuple[tuple[str, ...] | None, set[bytes]]:
        """The columns that came, and the keys that were not there before. Asks again when the target missed its cache server.

        Raises InvalidRunError when it always does.
        """
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(PAUSE_S)
            got = self._source.ask_columns({"source": self._source.name, "table": self._table, "columns": list(columns)})
            made = set(self._source.list_keys()) - known
            if made or got != columns:
                return got, made
            before, self._errors = self._errors, count_errors(self._source.context)
            if self._errors == before:
                return got, made
        raise InvalidRunError("the target did not reach its cache server")

    def _send_long_names(self) -> None:
        """Names of a megabyte are refused, and a long query makes no long key."""
        name, source = "x" * _MEGABYTE, self._source
        bodies: tuple[dict[str, object], ...] = (
            {"source": name, "table": self._table},
            {"source": source.name, "table": name},
            {"source": source.name, "table": self._table, "columns": [name]},
            {"source": source.name, "query": f"SELECT 1 AS a -- {name}"},
        )
        for body in bodies:
            # Sent, also when the silence after it ends the check.
            self.tally.tried += 1
            status = source.extractions.create(body).status
            self.tally.reached += status not in BUSY
            if status == INTERNAL_ERROR:
                self.add(
                    "a name of a megabyte made the target fail", "status 500", f"POST /api/v1/extractions with {sorted(body)}"
                )
        self.tally.tried += 1
        self.tally.reached += source.run({"source": source.name, "query": f"SELECT 1 AS a -- {'x' * _LONG_QUERY}"}).is_verdict
        longest = max((len(key) for key in source.entries()), default=0)
        if longest > _LONGEST_KEY:
            self.add(
                "what a request says becomes a key of any length", f"a key of {longest} bytes", "a query of 60 KB, then SCAN"
            )


def alter(genuine: bytes, flips: int | None, choice: random.Random) -> Iterator[tuple[str, bytes]]:
    """Single bits turned, all of them or so many, and the same entry shorter, longer and with its halves exchanged."""
    bits = range(len(genuine) * 8)
    for bit in bits if flips is None else sorted(choice.sample(bits, min(flips, len(bits)))):
        turned = bytearray(genuine)
        turned[bit // 8] ^= 1 << bit % 8
        yield f"bit {bit} turned", bytes(turned)
    half = len(genuine) // 2
    for length in (0, 1, 4, half, len(genuine) - 1):
        yield f"cut after {length} bytes", genuine[:length]
    yield "a byte added", genuine + b"\0"
    yield "halves exchanged", genuine[half:] + genuine[:half]


def list_requests(columns: Sequence[str], count: int, choice: random.Random) -> Iterator[tuple[str, ...]]:
    """Distinct lists of columns, first those that make the same text when they are joined with a delimiter or normalised."""
    twins = (("a", "b:c"), ("a:b", "c"), ("a,b",), ("a", "b"), ("\u00e9",), ("e\u0301",), ("K",), ("k",), ("\ufb01",), ("fi",))
    sent = [twin for twin in twins if set(twin) <= set(columns)]
    yield from sent
    known = set(sent)
    others = [one for size in (1, 2, 3) for one in permutations(columns, size) if one not in known]
    yield from choice.sample(others, min(count - len(sent), len(others)))
