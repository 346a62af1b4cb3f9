"""Whether something takes transaction ids of a PostgreSQL server, which count for all of its sessions together."""

import time
from collections.abc import Callable
from typing import Final

import psycopg

_ROUNDS: Final = 6
"""Others, an autovacuum say, may take an id while we look. That they do so at each look, and never in between, is unlikely."""
_LEAST_S: Final = 0.05
_NEXT: Final = "SELECT txid_snapshot_xmax(txid_current_snapshot())"


def takes_ids(watcher: psycopg.Connection, act: Callable[[], object]) -> bool | None:
    """True when ids are taken each time that `act` runs, and none in the pauses between; None when others take ids as well."""
    for _ in range(_ROUNDS):
        before, started_s = _read_next(watcher), time.monotonic()
        act()
        after, took_s = _read_next(watcher), time.monotonic() - started_s
        if after == before:
            return False
        time.sleep(max(took_s, _LEAST_S))
        if _read_next(watcher) != after:
            return None
    return True


def _read_next(watcher: psycopg.Connection) -> int:
    row = watcher.execute(_NEXT).fetchone()
    return int(row[0]) if row else 0
