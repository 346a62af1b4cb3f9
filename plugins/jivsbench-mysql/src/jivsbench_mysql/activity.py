"""What the server does now, as it tells an ordinary user: sessions, and what they wait for.

Without the privilege PROCESS a user is shown its own sessions alone; then of others it is not known how many there are.
"""

from collections import Counter
from typing import Final

from jivsbench.model.activity import ServerActivity, WaitCount
from jivsbench_mysql.wire import Wire

_RUNNING: Final = "running"
_WAITING: Final = "waiting"
# States in which the server does nothing for a statement, by the words of MySQL's and MariaDB's manuals.
_WAITS: Final = ("waiting", "user sleep", "user lock", "locked", "writing to net", "sending to client", "reading from")
_SESSIONS: Final = """
SELECT user = substring_index(user(), '@', 1), command = 'Sleep', state, count(*)
  FROM information_schema.processlist
 WHERE db = database() AND id <> connection_id()
 GROUP BY 1, 2, 3
"""
_SEES_ALL: Final = """
SELECT count(*) FROM information_schema.user_privileges
 WHERE privilege_type = 'PROCESS'
   AND grantee = concat(quote(substring_index(current_user(), '@', 1)), '@', quote(substring_index(current_user(), '@', -1)))
"""
_NOT_ALL: Final = "how many sessions other users have: grant PROCESS to this user"
_NO_TOTALS: Final = "totals of statements: this connector reads none from MySQL or MariaDB"


def read_activity(wire: Wire, patience_s: float, *, with_statements: bool) -> ServerActivity:
    """One look. Raises only when the server does not answer."""
    rows = wire.run(_SESSIONS, doing="read the server's sessions", patience_s=patience_s)
    sees_all = int(wire.run(_SEES_ALL, doing="read the user's privileges", patience_s=patience_s)[0][0]) > 0
    own = [(bool(idle), _to_text(state), int(count)) for is_own, idle, state, count in rows if is_own]
    waits: Counter[tuple[str, str]] = Counter()
    for is_idle, state, count in own:
        if not is_idle:
            waits[_WAITING if state.lower().startswith(_WAITS) else _RUNNING, state or _RUNNING] += count
    return ServerActivity(
        sessions=sum(int(count) for *_, count in rows) if sees_all else None,
        own_sessions=sum(count for *_, count in own),
        waits=tuple(WaitCount(*what, count) for what, count in sorted(waits.items())),
        not_granted=(() if sees_all else (_NOT_ALL,)) + ((_NO_TOTALS,) if with_statements else ()),
    )


def _to_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
