"""Opens a session, within a time that holds for the whole log-in."""

import select
import time

from psycopg import pq

from jivsbench.errors import SourceUnreachableError
from jivsbench_postgres.failures import build_connect_error
from jivsbench_postgres.wire import Wire


def open_wire(conninfo: bytes, place: str, user: str, timeout_s: float) -> Wire:
    """Log in within `timeout_s`. Raises SourceUnreachableError, AccessDeniedError or MissingObjectError."""
    deadline = time.monotonic() + timeout_s
    pgconn = pq.PGconn.connect_start(conninfo)
    status = pq.PollingStatus.WRITING
    while status not in (pq.PollingStatus.OK, pq.PollingStatus.FAILED) and pgconn.status != pq.ConnStatus.BAD:
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN if status == pq.PollingStatus.READING else select.POLLOUT)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            pgconn.finish()
            raise SourceUnreachableError(
                f"{place} did not answer within {timeout_s:g} s: is it running, and do host and port match?"
            )
        status = pq.PollingStatus(pgconn.connect_poll())
    if status != pq.PollingStatus.OK:
        text, needs_password = pgconn.get_error_message(), pgconn.needs_password
        pgconn.finish()
        raise build_connect_error(place, user, text, needs_password=bool(needs_password))
    pgconn.nonblocking = 1
    return Wire(pgconn, place)
