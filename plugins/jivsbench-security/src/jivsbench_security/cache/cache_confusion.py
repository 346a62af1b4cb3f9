"""SEC-024: an entry of the cache is believed only as it was written, where it was written; and no two things share a key."""

import random
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import pyarrow as pa

from jivsbench.api import CheckContext, TableLoader, TargetVariant
from jivsbench.errors import AccessDeniedError, InvalidRunError, JivsbenchError
from jivsbench.model.finding import CheckResult, Severity
from jivsbench.model.table import TableName
from jivsbench_security.cache.cache_server import CacheServer
from jivsbench_security.cache.cached_source import add_source, drop_afterwards
from jivsbench_security.cache.cached_table import CachedTableCheck
from jivsbench_security.cache.confusion_session import ConfusionSession, Plan

_FLIPS: Final = 60
_SCHEMA_FLIPS: Final = 3
_FULL_SCHEMA_FLIPS: Final = 1000
"""Each takes an extraction to be read."""
_REQUESTS: Final = 18
_FULL_REQUESTS: Final = 450
"""Of which every two make a pair: 101,025."""
COLUMNS: Final = ("a", "b:c", "a:b", "c", "a,b", "b", "\u00e9", "e\u0301", "K", "k", "s", "s.", "[]", '"', "\ufb01", "fi")
"""Two lists of these may become the same text: by a delimiter, by normalisation, by case, by quoting."""
_FOLDED_COLUMNS: Final = ("a", "b:c", "a:b", "c", "a,b", "b", "s", "s.", "[]")
"""For servers to which names that differ in case or accents are the same."""


class CacheConfusionCheck(CachedTableCheck):
    """Alters, moves and swaps entries, and asks for what careless keys would confuse."""

    id = "SEC-024"
    title = "A changed or moved entry of the cache is not believed, and no two requests share a key"
    severity = Severity.HIGH
    cwe = ("CWE-345", "CWE-353", "CWE-668")
    # Entries without a MAC, and keys that are names with a colon between them.
    vulnerable = TargetVariant("vulnerable-confused-cache", plugins=("jivsbench.testing.vulnerable.confused_cache",))

    def _attack_table(self, context: CheckContext, loader: TableLoader, server: CacheServer) -> CheckResult:
        with ExitStack() as exits:
            table, columns = exits.enter_context(_load_columns(context, loader))
            source, other = (exits.enter_context(add_source(context, server)) for _ in range(2))
            session = ConfusionSession(self, (source, other), table, columns, _plan(context))
            return self._attack(context, session, session.attack)


def _plan(context: CheckContext) -> Plan:
    # Repeatable, not secret.
    choice = random.Random(context.seed)  # noqa: S311
    if context.is_full:
        return Plan(choice, flips=None, schema_flips=_FULL_SCHEMA_FLIPS, requests=_FULL_REQUESTS)
    return Plan(choice, flips=_FLIPS, schema_flips=_SCHEMA_FLIPS, requests=_REQUESTS)


@contextmanager
def _load_columns(context: CheckContext, loader: TableLoader) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A table of the check's own with as many confusing columns as the server takes, dropped at the end."""
    table = TableName(f"jivsbench_columns_{secrets.token_hex(5)}")
    with drop_afterwards(context, loader, table):
        for columns in (COLUMNS, _FOLDED_COLUMNS):
            batch = pa.RecordBatch.from_pydict({"id": [1], **{name: [1] for name in columns}})
            try:
                loader.load_table(context.data_source(), table, batch.schema, iter([batch]), ())
            except AccessDeniedError:
                raise
            except JivsbenchError:
                loader.drop_table(context.data_source(), table)
                continue
            break
        else:
            raise InvalidRunError("the source takes no table with the column names that the check needs")
        yield str(table), columns
