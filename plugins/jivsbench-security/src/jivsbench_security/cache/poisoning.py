"""Writes under the target's own keys, has the target read them, and sees by the cache server whether it believed them.

A target that does not believe an entry loads what it needs and puts it there anew, so that the bytes are gone afterwards.
One that believes it leaves them where they are.
"""

import time
from contextlib import suppress
from typing import Final

from jivsbench.errors import InvalidRunError
from jivsbench_security.cache.cached_source import Answers, CachedSource, count_errors
from jivsbench_security.hostile_check import Tally

_TRIES: Final = 5
_MOST_GIVEN_UP: Final = 3
PAUSE_S: Final = 0.7
"""Longer than a target keeps away from a cache server that was slow once: until then it reads nothing at all."""


class Poisoning:
    """Notes in a tally what was written and what the target met.

    Not met is an entry of which the target did not say whether it believes it: it was busy, or did not reach its cache server.
    """

    def __init__(self, source: CachedSource, tally: Tally) -> None:
        self._source = source
        self._tally = tally
        self._errors = count_errors(source.context)
        self._given_up = 0
        self.written = 0
        """Entries, whatever else the tally counts."""

    def poison(self, content: bytes, wanted: Answers, *, with_columns: bool) -> str | None:
        """The same bytes under every key of the source. Returns what is wrong with what the target made of it."""
        keys = self._list_keys(with_columns=with_columns)
        if not keys:
            # What came before may have been left out, or its end has come.
            self._source.ask_facts()
            keys = self._list_keys(with_columns=with_columns)
        if not keys:
            raise InvalidRunError("the target no longer puts anything about a data source into its cache server")
        return self.replace(dict.fromkeys(keys, content), wanted, with_columns=with_columns)

    def _list_keys(self, *, with_columns: bool) -> list[bytes]:
        return [key for key in self._source.list_keys() if with_columns or b"schema" not in key]

    def replace(self, poisoned: dict[bytes, bytes], wanted: Answers, *, with_columns: bool) -> str | None:
        """These bytes under these keys. Returns what is wrong with what the target made of it."""
        server = self._source.server
        for key, content in poisoned.items():
            server.write(key, content)
        self.written += len(poisoned)
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(PAUSE_S)
            with suppress(InvalidRunError):
                problem = self._ask(wanted, with_columns=with_columns)
                now = server.read(tuple(poisoned))
                left = sum(now.get(key) == content for key, content in poisoned.items())
                if problem or not left or not self._was_out_of_reach():
                    self._tally.count(len(poisoned), is_met=True)
                    still = f"{left} of {len(poisoned)} entries were still there after they were read"
                    return problem or (still if left else None)
        self._tally.count(len(poisoned), is_met=False)
        self._given_up += 1
        if self._given_up >= _MOST_GIVEN_UP:
            raise InvalidRunError(
                f"the target was busy or did not reach its cache server, {_TRIES} times for each of some entries"
            )
        return None

    def _ask(self, wanted: Answers, *, with_columns: bool) -> str | None:
        """What the target answers otherwise than before. Raises InvalidRunError when it answers nothing."""
        if self._source.ask_facts() != wanted.facts:
            return "the source's facts were answered differently"
        if with_columns and self._source.ask_columns() != wanted.columns:
            return "an extraction failed, or had other columns"
        return None

    def _was_out_of_reach(self) -> bool:
        """True when the target has missed its cache server since the last question: then it read nothing."""
        before, self._errors = self._errors, count_errors(self._source.context)
        return self._errors > before
