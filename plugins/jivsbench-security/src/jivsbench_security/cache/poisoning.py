"""Writes under the target's own keys, has the target read them, and sees by the cache server whether it believed them.

A target that does not believe an entry loads what it needs and puts it there anew, so that the bytes are gone afterwards.
One that believes it leaves them where they are.
"""

import time
from typing import Final

from jivsbench_security.cache.cached_source import Answers, CachedSource, count_errors

_TRIES: Final = 5
_PAUSE_S: Final = 0.7
"""Longer than a target keeps away from a cache server that was slow once: until then it reads nothing at all."""


class Poisoning:
    """Counts what was written and what the target met."""

    def __init__(self, source: CachedSource) -> None:
        self._source = source
        self._errors = count_errors(source.context)
        self.written = 0
        self.met = 0

    def poison(self, content: bytes, wanted: Answers, *, with_columns: bool) -> str | None:
        """The same bytes under every key of the source. Returns what is wrong with what the target made of it."""
        keys = [key for key in self._source.entries() if with_columns or b"schema" not in key]
        return self.replace(dict.fromkeys(keys, content), wanted, with_columns=with_columns)

    def replace(self, poisoned: dict[bytes, bytes], wanted: Answers, *, with_columns: bool) -> str | None:
        """These bytes under these keys. Returns what is wrong with what the target made of it."""
        server = self._source.server
        for key, content in poisoned.items():
            server.write(key, content)
        self.written += len(poisoned)
        left = poisoned
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_PAUSE_S)
            facts = self._source.ask_facts()
            columns = self._source.ask_columns() if with_columns else wanted.columns
            if facts != wanted.facts:
                self.met += len(poisoned)
                return "the source's facts were answered differently"
            if columns != wanted.columns:
                self.met += len(poisoned)
                return "an extraction failed, or had other columns"
            now = server.read(tuple(poisoned))
            left = {key: content for key, content in poisoned.items() if now.get(key) == content}
            if not left or not self._was_out_of_reach():
                break
        self.met += len(poisoned)
        return f"{len(left)} of {len(poisoned)} entries were still there after they were read" if left else None

    def _was_out_of_reach(self) -> bool:
        """True when the target has missed its cache server since the last question: then it read nothing."""
        before, self._errors = self._errors, count_errors(self._source.context)
        return self._errors > before
