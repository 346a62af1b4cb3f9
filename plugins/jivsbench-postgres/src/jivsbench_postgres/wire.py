"""One libpq session, every wait of which is bounded.

psycopg waits for as long as the server likes; here each exchange has a limit for silence, after which the socket is closed:
a server that stalls without closing its socket is found by nothing else. Statements travel by the extended protocol, which
refuses a text that holds more than one.
"""

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import pq

from jivsbench.errors import ExtractionError, JivsbenchError, SourceUnreachableError
from jivsbench_postgres.exchange import ResultColumn, Row, Statement
from jivsbench_postgres.failures import QUERY_CANCELED, build_server_error
from jivsbench_postgres.socket_copy import LONGEST_ROW_BYTES, CopyBlock, LongRowError, RefusedCopyError, SocketCopy

_CANCEL_TIMEOUT_S = 0.9
_ABANDON_TIMEOUT_S = 1.0
_BLOCK_BYTES = 1 << 20


class Wire:
    """An open session. One thread uses it; only `cancel` may be called from another."""

    def __init__(self, pgconn: pq.abc.PGconn, place: str) -> None:
        self.place = place
        self.was_cancelled = False
        self.driver: psycopg.Connection = psycopg.Connection(pgconn)
        # Transactions are begun and ended here, in so many words, never by the driver.
        self.driver.autocommit = True
        self._pgconn = pgconn
        self._is_tls = bool(pgconn.ssl_in_use)
        self._is_encrypted = self._is_tls or bool(pgconn.used_gssapi)
        self._may_hold_bytes = self._is_tls
        self._copy: object | None = None
        self._is_copying = False
        self._sent_rows = 0
        self._socket_copy: SocketCopy | None = None
        self._poll = select.poll()
        self._poll.register(pgconn.socket, select.POLLIN)

    @property
    def is_open(self) -> bool:
        """True until it is closed or found broken."""
        return not self.driver.closed

    @property
    def is_idle(self) -> bool:
        """True when no statement is running on it."""
        if self._socket_copy and self._socket_copy.is_running:
            return False
        return self.is_open and self._pgconn.transaction_status != pq.TransactionStatus.ACTIVE

    @property
    def server_version(self) -> int:
        """As libpq numbers it: 150020 is 15.20."""
        return self._pgconn.server_version

    @property
    def is_utf8(self) -> bool:
        """True when the server keeps its texts in the encoding that they are read in."""
        return self._pgconn.parameter_status(b"server_encoding") == b"UTF8"

    def fetch(self, sql: bytes, values: Sequence[str | None] = (), *, doing: str, patience_s: float) -> list[Row]:
        """Run one statement and return its rows as the server's text."""
        return self.run([Statement(sql, tuple(values))], doing=doing, patience_s=patience_s)[0]

    def run(self, statements: Sequence[Statement], *, doing: str, patience_s: float) -> list[list[Row]]:
        """Run several statements in one round trip, each on its own: a later one runs even when an earlier one fails."""
        pgconn = self._start(doing)
        pgconn.enter_pipeline_mode()
        try:
            for statement in statements:
                values = [None if value is None else value.encode() for value in statement.values]
                pgconn.send_query_params(statement.sql, values)
                pgconn.pipeline_sync()
            results = self._collect(len(statements), doing, patience_s)
            pgconn.exit_pipeline_mode()
        except psycopg.OperationalError:
            raise self._break(doing) from None
        for result in results:
            self._refuse_error(result, doing)
        return [_read_rows(result) for result in results]

    def describe(self, sql: bytes, *, doing: str, patience_s: float) -> list[ResultColumn]:
        """What a query would yield, without running it. A text of two statements, or none, is refused by the server."""
        pgconn = self._start(doing)
        try:
            pgconn.send_prepare(b"", sql)
            self._refuse_error(self._finish(doing, patience_s), doing)
            pgconn.send_describe_prepared(b"")
            result = self._finish(doing, patience_s)
        except psycopg.OperationalError:
            raise self._break(doing) from None
        self._refuse_error(result, doing)
        return [ResultColumn((result.fname(i) or b"").decode(), result.ftype(i), result.fmod(i)) for i in range(result.nfields)]

    @property
    def answered_ns(self) -> int | None:
        """When the answer to the last copy began to come, by `time.perf_counter_ns`; None where libpq read it."""
        return None if self._is_encrypted or self._socket_copy is None else self._socket_copy.answered_ns

    def copy_out(self, sql: bytes, *, may_blank: bool, doing: str, patience_s: float) -> Iterator[CopyBlock]:
        """Run `COPY ... TO STDOUT` in the text format and yield blocks of whole rows, about a mebibyte each.

        Ends only after the server has said how many rows it sent and that number has arrived. With `may_blank` empty lines
        may stand between rows, which is faster.
        """
        self._start(doing)
        ticket = self._copy = object()
        arrived = 0
        try:
            # Encrypted bytes pass through libpq alone, which hands a copy out row by row.
            if self._is_encrypted:
                blocks = self._copy_by_libpq(sql, doing, patience_s)
            else:
                blocks = self._copy_by_socket(sql, doing, patience_s, may_blank=may_blank)
            for block in blocks:
                if self.was_cancelled:
                    # A server that waits for its bytes to be taken ends no query: what is on its way is thrown away below.
                    raise build_server_error(self.place, doing, QUERY_CANCELED, was_cancelled=True)
                arrived += block.row_count
                yield block
            self._copy = None
            if self._sent_rows != arrived:
                raise SourceUnreachableError(f"{self.place} ended the copy early: {arrived} rows came of {self._sent_rows}")
        except (psycopg.OperationalError, OSError):
            raise self._break(doing) from None
        finally:
            # A reader that is thrown away long after the session went to the next borrower must not touch it.
            if self._copy is ticket:
                self.abandon()

    def _copy_by_socket(self, sql: bytes, doing: str, patience_s: float, *, may_blank: bool) -> Iterator[CopyBlock]:
        if self._socket_copy is None:
            self._socket_copy = SocketCopy(socket.socket(fileno=os.dup(self._pgconn.socket)))
        copy = self._socket_copy
        try:
            copy.start(sql, patience_s)
            yield from copy.blocks(patience_s, may_blank=may_blank)
        except TimeoutError:
            raise self._stalled(doing, patience_s) from None
        except LongRowError:
            raise self._refuse_long_row(doing) from None
        except RefusedCopyError as refusal:
            self._copy = None
            if copy.is_running:
                self.close()
            raise build_server_error(self.place, doing, refusal.sqlstate, was_cancelled=self.was_cancelled) from None
        if copy.row_count is None:
            raise ExtractionError(f"{self.place} did not {doing}: it is no query that yields rows")
        self._sent_rows = copy.row_count

    def _copy_by_libpq(self, sql: bytes, doing: str, patience_s: float) -> Iterator[CopyBlock]:
        self._pgconn.send_query_params(sql, [])
        self._flush(doing, patience_s)
        result = self._next_result(doing, patience_s)
        if result is None or result.status != pq.ExecStatus.COPY_OUT:
            self._drain(doing, patience_s)
            self._copy = None
            self._refuse_error(result, doing)
            raise ExtractionError(f"{self.place} did not {doing}: it is no query that yields rows")
        self._is_copying = True
        yield from self._blocks(doing, patience_s)
        result = self._finish(doing, patience_s)
        self._copy = None
        self._refuse_error(result, doing)
        self._sent_rows = result.command_tuples or 0

    def _blocks(self, doing: str, patience_s: float) -> Iterator[CopyBlock]:
        # Straight from libpq rather than through `Cursor.copy`: both make one Python call per row, but the cursor's passes a
        # generator and a lock and lets go of the interpreter for every row. Measured with 1,000 rows of 500 bytes: 2.2 ms
        # of CPU against 3.6, and 27 % more reads per second with eight threads.
        get = self._pgconn.get_copy_data
        rows: list[memoryview] = []
        size = 0
        while self._is_copying:
            count, row = get(1)
            if count == 0:
                self._receive(doing, patience_s)
                continue
            if count > LONGEST_ROW_BYTES:
                # libpq has taken it in already; but each step after this one would hold it again.
                raise self._refuse_long_row(doing)
            if count > 0:
                rows.append(row)
                size += count
            self._is_copying = count > 0
            if size >= _BLOCK_BYTES or (rows and not self._is_copying):
                # Each row is a buffer of libpq's own: let go of it before the consumer takes its time.
                block = CopyBlock(b"".join(rows), len(rows), has_blank_lines=False)
                rows.clear()
                row, size = memoryview(b""), 0
                yield block

    def _refuse_long_row(self, doing: str) -> JivsbenchError:
        """The rest of the row is on its way, so the session goes."""
        self._copy = None
        self.close()
        return ExtractionError(
            f"{self.place} was asked to {doing}, and a row is longer than {LONGEST_ROW_BYTES >> 20} MiB: leave out the column "
            "with such values"
        )

    def ping(self, patience_s: float) -> bool:
        """One round trip with an empty statement; False when it failed."""
        try:
            self.run([Statement(b"")], doing="answer", patience_s=patience_s)
        except JivsbenchError:
            return False
        return True

    def cancel(self) -> None:
        """Ask the server to end the running statement. Takes a second at most, never raises."""
        self.was_cancelled = True
        with contextlib.suppress(psycopg.Error, OSError):
            self.driver.cancel_safe(timeout=_CANCEL_TIMEOUT_S)

    def abandon(self) -> None:
        """End the running statement on the server and throw away what comes; close the session when that takes long."""
        self._copy = None
        if not self.is_open or self.is_idle:
            return
        with contextlib.suppress(psycopg.Error, OSError):
            self.driver.cancel_safe(timeout=_CANCEL_TIMEOUT_S)
        try:
            self._throw_away(time.monotonic() + _ABANDON_TIMEOUT_S)
        except (psycopg.Error, JivsbenchError, OSError):
            self.close()

    def _throw_away(self, deadline: float) -> None:
        if self._socket_copy and self._socket_copy.is_running:
            self._socket_copy.discard(max(0.0, deadline - time.monotonic()))
            return
        while self._is_copying:
            count = self._pgconn.get_copy_data(1)[0]
            self._is_copying = count >= 0
            if count == 0:
                self._receive("stop a query", max(0.0, deadline - time.monotonic()))
        self._drain("stop a query", _ABANDON_TIMEOUT_S)

    def close(self) -> None:
        """End the session; may be called twice."""
        if self._socket_copy:
            self._socket_copy.close()
        with contextlib.suppress(psycopg.Error, OSError):
            self.driver.close()

    def _start(self, doing: str) -> pq.abc.PGconn:
        if not self.is_open:
            raise SourceUnreachableError(f"{self.place} was asked to {doing} on a closed connection: open another")
        return self._pgconn

    def _collect(self, syncs: int, doing: str, patience_s: float) -> list[pq.abc.PGresult]:
        """The results of a pipeline of one statement per synchronisation point, in order."""
        self._flush(doing, patience_s)
        results: list[pq.abc.PGresult] = []
        while syncs:
            result = self._next_result(doing, patience_s)
            if result is None:
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                syncs -= 1
            else:
                results.append(result)
        return results

    def _finish(self, doing: str, patience_s: float) -> pq.abc.PGresult:
        """The one result of the running statement."""
        self._flush(doing, patience_s)
        result = self._next_result(doing, patience_s)
        if result is None:
            raise self._break(doing)
        self._drain(doing, patience_s)
        return result

    def _drain(self, doing: str, patience_s: float) -> None:
        while self._next_result(doing, patience_s) is not None:
            pass

    def _next_result(self, doing: str, patience_s: float) -> pq.abc.PGresult | None:
        pgconn = self._pgconn
        while pgconn.is_busy():
            self._receive(doing, patience_s)
        return pgconn.get_result()

    def _flush(self, doing: str, patience_s: float) -> None:
        pgconn = self._pgconn
        while pgconn.flush():
            poll = select.poll()
            poll.register(pgconn.socket, select.POLLIN | select.POLLOUT)
            if not poll.poll(patience_s * 1000):
                raise self._stalled(doing, patience_s)
            pgconn.consume_input()

    def _receive(self, doing: str, patience_s: float) -> None:
        """Wait for bytes and take them in."""
        if self._may_hold_bytes:
            # TLS decrypts whole records: bytes can lie inside libpq where no poll sees them. Ask there first, once.
            self._may_hold_bytes = False
            self._pgconn.consume_input()
            return
        if not self._poll.poll(patience_s * 1000):
            raise self._stalled(doing, patience_s)
        self._pgconn.consume_input()
        self._may_hold_bytes = self._is_tls

    def _stalled(self, doing: str, patience_s: float) -> JivsbenchError:
        # The server may go on with the statement; that costs it a query at most, while waiting here costs a worker for ever.
        with contextlib.suppress(psycopg.Error, OSError):
            self.driver.cancel_safe(timeout=min(_CANCEL_TIMEOUT_S, patience_s / 10))
        self.close()
        return SourceUnreachableError(
            f"{self.place} was silent for {patience_s:g} s when asked to {doing}: the connection is given up"
        )

    def _break(self, doing: str) -> JivsbenchError:
        self.close()
        return SourceUnreachableError(
            f"the connection to {self.place} broke when it was asked to {doing}: check the server and the network"
        )

    def _refuse_error(self, result: pq.abc.PGresult | None, doing: str) -> None:
        """Raise when the server answered with an error; close first when it has ended the session."""
        if result is None or result.status not in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED):
            return
        field = result.error_field(pq.DiagnosticField.SQLSTATE)
        if self._pgconn.status == pq.ConnStatus.BAD:
            self.close()
        raise build_server_error(self.place, doing, field.decode() if field else None, was_cancelled=self.was_cancelled)


def _read_rows(result: pq.abc.PGresult) -> list[Row]:
    columns = range(result.nfields)
    return [
        tuple(None if (value := result.get_value(row, column)) is None else value.decode() for column in columns)
        for row in range(result.ntuples)
    ]
