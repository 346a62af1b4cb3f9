"""Statements to one server and what comes back, with every failure turned into one of this project's own."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pymysql.err
from pymysql.cursors import SSCursor

from jivsbench.errors import EnvironmentProblem, ExtractionError, SourceUnreachableError
from jivsbench_mysql.driver import Description, Driver
from jivsbench_mysql.failures import QUERY_INTERRUPTED, build_server_error, number_of
from jivsbench_mysql.row_buffer import Block

Row = tuple[Any, ...]
_FAULTS = (pymysql.err.Error, OSError, ValueError, EOFError)
"""ValueError is what the driver's closed file raises."""
_KILL_WITHIN_S = 5.0


class Wire:
    """One session. Used by one thread at a time; only `kill_query` may be called from another."""

    def __init__(self, driver: Driver, place: str, open_another: Callable[[], Driver], settings: tuple[str, ...]) -> None:
        self.driver = driver
        self.place = place
        self.was_cancelled = False
        self._open_another = open_another
        self._settings = settings
        self._running: object | None = None
        self._kill_is_over = threading.Event()
        self._kill_arrived = False

    @property
    def is_idle(self) -> bool:
        """True when the server has nothing to do for this session."""
        return self._running is None and not self.driver.is_busy

    def run(self, sql: str, *, doing: str, patience_s: float) -> list[Row]:
        """Send one statement and take all that it yields."""
        with self._running_statement(doing, patience_s):
            self.driver.query(sql)
            result = self.driver.result
        return [] if result is None else [tuple(row) for row in result.rows or ()]

    def describe(self, query: str, *, doing: str, patience_s: float) -> Description:
        """Have the server parse one statement, without running it."""
        with self._running_statement(doing, patience_s):
            return self.driver.describe(query)

    def read_blocks(self, sql: str, *, doing: str, patience_s: float) -> Iterator[Block]:
        """The rows of a query, as bytes."""
        with self._running_statement(doing, patience_s):
            for block in self.driver.read_blocks(sql):
                self.stop_when_cancelled()
                yield block
            self.stop_when_cancelled()

    def read_rows(self, sql: str, *, doing: str, patience_s: float) -> Iterator[tuple[object, ...]]:
        """The rows of a query as the driver gives them, one by one."""
        cursor = SSCursor(self.driver)
        try:
            with self._running_statement(doing, patience_s):
                cursor.execute(sql)
                mine = self.driver.result
                while self.driver.result is mine:
                    self.stop_when_cancelled()
                    row = cursor.fetchone()
                    if row is None:
                        return
                    yield row
        finally:
            # A cursor that still has its connection reads all that is left when it is thrown away, however long that takes.
            cursor.connection = None  # type: ignore[assignment]

    def stop_when_cancelled(self) -> None:
        """Read on until the server's own end of the query, then raise.

        A server that waits for room to send more hears of a cancel only once it can send; and one that has sent everything
        has nothing left to end.
        """
        if self.was_cancelled:
            self._kill_is_over.wait(_KILL_WITHIN_S)
            if self._kill_arrived:
                self.driver.skip_rows()
            else:
                # Without a word to the server, which will find nobody to send to: the rest could take as long as it likes.
                self.driver.break_off()
            raise pymysql.err.OperationalError(QUERY_INTERRUPTED, "cancelled")

    def ping(self, patience_s: float) -> bool:
        """One round trip; False when the session is gone, or has rows to come."""
        if self.driver.is_busy:
            return False
        try:
            self.driver.set_patience(patience_s)
            self.driver.ping(reconnect=False)
        except _FAULTS:
            return False
        return True

    def kill_query(self) -> None:
        """End what the server does for this session, from a session of its own."""
        self._kill_is_over.clear()
        self._kill_arrived = False
        self.was_cancelled = True
        try:
            with contextlib.suppress(*_FAULTS, EnvironmentProblem), contextlib.closing(self._open_another()) as other:
                other.query(f"KILL QUERY {self.driver.thread_id()}")
                self._kill_arrived = True
        finally:
            self._kill_is_over.set()

    def abandon(self, patience_s: float) -> None:
        """End a result that was not read to its end."""
        if not self.driver.is_busy:
            return
        self.kill_query()
        if not self._kill_arrived:
            raise SourceUnreachableError(
                f"{self.place} took no session in which to end a query: its connections may all be taken"
            )
        self.driver.set_patience(patience_s)
        try:
            self.driver.skip_rows()
        except pymysql.err.OperationalError as error:
            if number_of(error) != QUERY_INTERRUPTED:
                raise build_server_error(self.place, "end a query", error, was_cancelled=True) from None

    def reset(self, patience_s: float) -> None:
        """As after the start: no transaction, and this connector's own settings again."""
        if self.was_cancelled:
            # A kill that came too late waits for the next statement; let it have this one.
            with contextlib.suppress(*_FAULTS):
                self.driver.query("DO 0")
        self.was_cancelled = False
        with self._running_statement("reset the session", patience_s):
            self.driver.reset_session()
            for statement in self._settings:
                self.driver.query(statement)

    def close(self) -> None:
        """End the session. Never raises."""
        with contextlib.suppress(*_FAULTS):
            if self.driver.open and not self.driver.is_busy:
                self.driver.set_patience(1.0)
                self.driver.close()
        self.driver.break_off()

    @contextlib.contextmanager
    def _running_statement(self, doing: str, patience_s: float) -> Iterator[None]:
        if not self.driver.open:
            raise SourceUnreachableError(f"{self.place} was asked to {doing} on a closed connection: open another")
        if self.driver.is_busy:
            raise ExtractionError(
                f"{self.place} was asked to {doing} while rows of this session are still to come: read or reset it"
            )
        self.driver.set_patience(patience_s)
        mine = self._running = object()
        try:
            yield
        except _FAULTS as error:
            raise build_server_error(self.place, doing, error, was_cancelled=self.was_cancelled) from None
        finally:
            # A reader that is thrown away long after the session went to the next borrower must not touch it.
            if self._running is mine:
                self._running = None
