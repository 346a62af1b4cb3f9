"""What the server does now, as it tells an ordinary user: sessions, what they wait for, and totals of statements."""

from jivsbench.errors import DeadlineError, JivsbenchError, SourceUnreachableError
from jivsbench.model.activity import ServerActivity, StatementTotals, WaitCount
from jivsbench_postgres.wire import Wire

_RUNNING = "running"
# Of other users' sessions not even the type is told.
_SESSIONS = b"""
SELECT usename = current_user, state, wait_event_type, wait_event, pg_catalog.count(*)
  FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()
   AND coalesce(backend_type, 'client backend') = 'client backend'
 GROUP BY 1, 2, 3, 4
"""
_HAS_STATEMENTS = b"SELECT pg_catalog.to_regclass('pg_stat_statements') IS NOT NULL"
# The first word alone: the text of a COPY holds the values of its filters. The monitor's own statements are left out.
_STATEMENTS = b"""
SELECT pg_catalog.upper(pg_catalog.substring(pg_catalog.ltrim(query), '^[A-Za-z]+')), queryid, calls, total_exec_time, rows
  FROM pg_stat_statements
 WHERE userid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
   AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
   AND query !~ 'pg_stat_(activity|statements)'
"""


def read_activity(wire: Wire, patience_s: float, *, with_statements: bool) -> ServerActivity:
    """One look. Raises only when the server does not answer."""
    rows = wire.fetch(_SESSIONS, doing="read the server's sessions", patience_s=patience_s)
    sessions = sum(int(count or 0) for *_, count in rows)
    own = [(state, kind, event, int(count or 0)) for is_own, state, kind, event, count in rows if is_own == "t"]
    hidden = sum(int(count or 0) for is_own, state, *_, count in rows if is_own != "t" and state is None)
    waits = tuple(
        WaitCount(kind or _RUNNING, event or _RUNNING, count)
        for state, kind, event, count in sorted(own, key=str)
        if state == "active"
    )
    not_granted = []
    if hidden:
        not_granted.append("what sessions of other users do: grant pg_monitor to this user")
    statements: tuple[StatementTotals, ...] = ()
    if with_statements:
        statements, problem = _read_statements(wire, patience_s)
        not_granted += [problem] if problem else []
    return ServerActivity(sessions, sum(count for *_, count in own), waits, statements, tuple(not_granted))


def _read_statements(wire: Wire, patience_s: float) -> tuple[tuple[StatementTotals, ...], str]:
    doing = "read the totals of statements"
    if wire.fetch(_HAS_STATEMENTS, doing=doing, patience_s=patience_s)[0][0] != "t":
        return (), "totals of statements: have the owner of the database run CREATE EXTENSION pg_stat_statements"
    try:
        rows = wire.fetch(_STATEMENTS, doing=doing, patience_s=patience_s)
    except (SourceUnreachableError, DeadlineError):
        raise
    except JivsbenchError:
        return (), "totals of statements: pg_stat_statements is not in shared_preload_libraries, or not readable"
    found = (
        StatementTotals(f"{word or 'statement'} {number or ''}".strip(), int(calls or 0), float(duration or 0), int(count or 0))
        for word, number, calls, duration, count in rows
    )
    return tuple(found), ""
