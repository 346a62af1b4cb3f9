"""SEC-022: nothing personal may lie in the cache server, neither in a key nor in a value, and nothing may lie there for ever."""

import random
import secrets
from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa

from jivsbench.api import CheckContext, TableLoader, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckResult, Severity
from jivsbench.model.table import TableName
from jivsbench_security.cache.cache_server import CacheServer
from jivsbench_security.cache.cached_source import CachedSource, add_source, drop_afterwards
from jivsbench_security.cache.cached_table import CachedTableCheck
from jivsbench_security.cache.personal_markers import MarkerSearch, Person, build_people
from jivsbench_security.hostile_check import MOST_FINDINGS, CountedSession, Reported

_PEOPLE: Final = 12
_ASKED: Final = 2
_MOST_READ: Final = 5000
_LONGEST_LIFE_MS: Final = 24 * 3600 * 1000
"""A day: metadata of extractions is of no use for longer."""


class CachedPersonalDataCheck(CachedTableCheck):
    """Extracts marked personal data in every way that the API has, and looks through the cache server after each."""

    id = "SEC-022"
    title = "No personal data lies in the cache server, and everything in it ends within a day"
    severity = Severity.HIGH
    cwe = ("CWE-359", "CWE-524", "CWE-312")
    # A cache of the rows, under keys that hold the filter.
    vulnerable = TargetVariant("vulnerable-row-cache", plugins=("jivsbench.testing.vulnerable.row_cache",))

    def _attack_table(self, context: CheckContext, loader: TableLoader, server: CacheServer) -> CheckResult:
        # By the seed and the run: what another run left in a shared cache is not this target's doing.
        token = secrets.token_hex(6)
        people = build_people(_PEOPLE, random.Random(f"{context.seed} {token}"))  # noqa: S311 - nobody has to guess them
        table = TableName(f"jivsbench_people_{token}")
        batch = pa.RecordBatch.from_pylist([{"id": place, **dict(one.pairs())} for place, one in enumerate(people, start=1)])
        with drop_afterwards(context, loader, table):
            loader.load_table(context.data_source(), table, batch.schema, iter([batch]), ())
            with add_source(context, server, tables=(table.name,)) as source:
                session = PersonalDataSession(self, source, table.name, people)
                return self._attack(context, session, session.attack)


class PersonalDataSession(CountedSession):
    """One run. Its attacks are the extractions."""

    def __init__(self, check: Reported, source: CachedSource, table: str, people: tuple[Person, ...]) -> None:
        super().__init__(check)
        self._source = source
        self._table = table
        self._people = people
        self._search = MarkerSearch(people)
        self._own = {source.name.encode(), table.encode()}
        """What is in the keys of entries that this check brings about: names, and ids of its jobs."""
        self._before = source.server.list_keys()
        # Also what was there before may be added to. On a server that many use, the new keys are what can be looked through.
        self._seen = source.server.read(self._before) if len(self._before) <= _MOST_READ else {}
        self._left_out = frozenset(self._before) - frozenset(self._seen)
        self._looked_at: set[bytes] = set()

    def describe(self) -> str:
        """One line for the result."""
        return (
            f"{self.attempted} extractions of {len(self._people)} people's data, {len(self._looked_at)} entries of the cache "
            f"looked through, {len(self.findings)} findings"
        )

    def run_benign(self) -> int:
        """The whole table comes back."""
        ending = self._source.run({"source": self._source.name, "table": self._table})
        return int(ending.is_completed and self._source.context.read_output(ending.job).num_rows == len(self._people))

    def attack(self) -> None:
        """Every request, and after each a look at what is in the cache now."""
        found: set[bytes] = set()
        people = self._people if self._source.context.is_full else self._people[:_ASKED]
        for body in build_requests(self._source.name, self._table, people):
            # Sent, also when the silence after it ends the check.
            self.tally.tried += 1
            ending = self._source.run(body)
            job = ending.job or {}
            if "id" in job:
                self._own.add(str(job["id"]).encode())
            for path in ("", "/statistics", "/logs"):
                self._source.context.target.call("GET", f"/extractions/{job.get('id')}{path}")
            self.tally.reached += ending.is_verdict
            found |= self._look(body)
            # One is left for how long the entries live.
            if len(self.findings) >= MOST_FINDINGS - 1:
                break
        self._source.ask_facts()
        found |= self._look({"source": self._source.name})
        self._judge_lives()
        self._source.server.remove(tuple(found))

    def _look(self, body: Mapping[str, object]) -> set[bytes]:
        """Keys, among those that are new or other than they were at the last look, that hold a marker."""
        server, found = self._source.server, set()
        keys = tuple(key for key in server.list_keys() if key not in self._left_out)
        for key, value in server.read(keys).items():
            if self._seen.get(key) == value:
                continue
            self._seen[key] = value
            self._looked_at.add(key)
            for where, content in (("key", key), ("value", value)):
                what = self._search.find(content)
                if what is not None:
                    found.add(key)
                    self._tell(f"personal data lies in a {where} of the cache", f"{what}, after one extraction", body)
        return found

    def _judge_lives(self) -> None:
        """Each entry that this check brought about has an end, and soon enough."""
        own = [key for key in self._looked_at if any(name in key for name in self._own)]
        if not own:
            raise InvalidRunError("the target put nothing about a data source into its cache server: is it the target's own?")
        for key in own:
            left_ms = self._source.server.lives_ms(key)
            if left_ms is not None and not 0 <= left_ms <= _LONGEST_LIFE_MS:
                life = "for ever" if left_ms < 0 else f"for {left_ms / 3_600_000:.0f} h"
                self._tell("an entry of the cache lies there for too long", f"it stays {life}", {"source": self._source.name})
                return

    def _tell(self, title: str, evidence: str, body: Mapping[str, object]) -> None:
        asked = f"POST /api/v1/extractions with {', '.join(body)} over a table of personal data"
        self.add(title, evidence, f"{asked}, then SCAN and GET on the cache server")


def build_requests(source: str, table: str, people: tuple[Person, ...]) -> Iterator[dict[str, object]]:
    """Extractions that carry personal data in and out: in filters, in queries, and in errors about values."""
    yield {"source": source, "table": table}
    yield {"source": source, "table": table, "columns": ["email", "card"]}
    for person in people:
        for column, value in person.pairs():
            condition = {"column": column, "operator": "=", "values": [value]}
            yield {"source": source, "table": table, "filters": [condition]}
        literal = person.email.replace("'", "''")
        yield {"source": source, "query": f"SELECT id, name FROM {table} WHERE email = '{literal}'"}  # noqa: S608 - a check's own
        # Fails on the server, whose message repeats the value.
        yield {"source": source, "query": f"SELECT CAST(email AS INTEGER) AS n FROM {table} WHERE email = '{literal}'"}  # noqa: S608 - the same
        yield {"source": source, "table": table, "filters": [{"column": "id", "operator": "=", "values": [person.ssn]}]}
    everybody = [person.iban for person in people]
    yield {"source": source, "table": table, "filters": [{"column": "iban", "operator": "IN", "values": everybody}]}
