"""PyMySQL's connection, opened where it keeps to itself what this connector needs: rows as bytes, and a query only described.

The only module that uses names of the driver that start with an underscore.
"""

import io
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pymysql import err
from pymysql.connections import Connection, MySQLResult
from pymysql.constants import CR, FLAG
from pymysql.cursors import Cursor
from pymysql.protocol import FieldDescriptorPacket, MysqlPacket

from jivsbench_mysql.failures import PasswordInClearError
from jivsbench_mysql.row_buffer import Block, RowBuffer

_COM_QUERY = 0x03
_COM_STMT_PREPARE = 0x16
_COM_STMT_CLOSE = 0x19
_COM_RESET_CONNECTION = 0x1F


if TYPE_CHECKING:
    # Generic in the stubs alone.
    _Connection = Connection[Cursor]
else:
    _Connection = Connection


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a query as the protocol describes it."""

    name: str
    type_code: int
    length: int
    decimals: int
    is_unsigned: bool
    is_binary: bool


@dataclass(frozen=True, slots=True)
class Description:
    """What the server says of a query that it has parsed and not run."""

    columns: tuple[ResultColumn, ...]
    placeholders: int


class Driver(_Connection):
    """A session of the driver. One result at a time."""

    _rfile: io.BufferedReader | None
    _result: MySQLResult | None
    _read_timeout: float | None
    _secure: bool
    rows: RowBuffer | None = None
    """What is being read as bytes; None when nothing is."""

    if TYPE_CHECKING:
        # The stubs leave out what the driver keeps to itself, and the types of some of the rest.
        ctx: ssl.SSLContext

        def _execute_command(self, command: int, sql: str | bytes) -> None: ...
        def _force_close(self) -> None: ...
        def _read_packet(self, packet_type: type[MysqlPacket] = MysqlPacket) -> Any: ...
        def get_server_info(self) -> str: ...  # noqa: D102 - the driver's
        def thread_id(self) -> int: ...  # noqa: D102 - the driver's

    @property
    def is_mariadb(self) -> bool:
        """Which of the two families the server is of, by the version it gives."""
        return "mariadb" in self.get_server_info().lower()

    @property
    def server_public_key(self) -> bytes | None:
        """The key that a password is encrypted with on a line without TLS: none is taken."""
        return None

    @server_public_key.setter
    def server_public_key(self, key: bytes | None) -> None:
        # It came over the same line: whoever stands in the middle would send one of their own.
        if key is not None:
            raise PasswordInClearError

    def set_patience(self, seconds: float) -> None:
        """How long a read may wait for the server."""
        self._read_timeout = seconds

    @property
    def result(self) -> MySQLResult | None:
        """The last statement's result."""
        return self._result

    @property
    def is_busy(self) -> bool:
        """True while rows of a result are still to come."""
        return self.rows is not None or bool(self._result and self._result.unbuffered_active)

    def read_blocks(self, sql: str) -> Iterator[Block]:
        """Send a query and yield its rows as they come. A block is good until the next one is asked for."""
        self._execute_command(_COM_QUERY, sql)
        columns = self._read_packet().read_length_encoded_integer()
        for _number in range(columns + 1):
            self._read_packet()
        rows = self.rows = self._open_rows()
        while True:
            if rows.has_block:
                yield rows.take()
                if self.rows is not rows:
                    # The session went to somebody else meanwhile; what comes now is theirs.
                    return
                rows.free()
            if rows.ending is not None:
                break
            self._fill(rows)
        self._finish(rows)

    def skip_rows(self) -> None:
        """Read and forget what is left of a result. Raises the error that ended it."""
        rows = self.rows
        if rows is not None:
            while rows.ending is None:
                rows.free()
                self._fill(rows)
            self._finish(rows)
        elif self._result is not None and self._result.unbuffered_active:
            self._result._finish_unbuffered_query()  # type: ignore[attr-defined]  # noqa: SLF001 - the stubs leave it out

    def describe(self, sql: str) -> Description:
        """Have the server parse one statement, without running it."""
        self._execute_command(_COM_STMT_PREPARE, sql)
        statement, columns, placeholders = struct.unpack("<xIHH", self._read_packet().read(9))
        if placeholders:
            for _number in range(placeholders + 1):
                self._read_packet()
        described = tuple(_describe(self._read_packet(FieldDescriptorPacket)) for _number in range(columns))
        if columns:
            self._read_packet()
        self._execute_command(_COM_STMT_CLOSE, struct.pack("<I", statement))
        return Description(described, placeholders)

    def reset_session(self) -> None:
        """End the transaction and forget what the session was told. One round trip."""
        self._execute_command(_COM_RESET_CONNECTION, b"")
        self._read_packet()

    def break_off(self) -> None:
        """Close the line without a word to the server. May be called twice."""
        self.rows = None
        if self._result is not None:
            # Or the result would read from the closed line when it is thrown away.
            self._result.unbuffered_active = False
        self._force_close()

    def _open_rows(self) -> RowBuffer:
        assert self._rfile is not None, "the server answered"
        try:
            return RowBuffer(self._rfile)
        except OSError as error:
            self.break_off()
            raise err.OperationalError(CR.CR_SERVER_LOST, "the line broke") from error

    def _fill(self, rows: RowBuffer) -> None:
        """One read, with the errors that the driver's own reads have."""
        try:
            if rows.fill():
                return
        except OSError as error:
            self.break_off()
            raise err.OperationalError(CR.CR_SERVER_LOST, "the line broke") from error
        self.break_off()
        raise err.OperationalError(CR.CR_SERVER_LOST, "the server is gone")

    def _finish(self, rows: RowBuffer) -> None:
        self.rows = None
        assert rows.ending is not None, "asked only after the last row"
        packet = MysqlPacket(rows.ending, self.encoding)
        if packet.is_error_packet():
            packet.raise_for_error()

    def _process_auth(self, plugin_name: bytes, *rest: Any) -> Any:
        # Whoever stands in the middle of an open line could ask for the password like this.
        if plugin_name in (b"mysql_clear_password", b"dialog", b"mysql_old_password") and not self._secure:
            raise PasswordInClearError
        return super()._process_auth(plugin_name, *rest)  # type: ignore[misc]


def _describe(field: Any) -> ResultColumn:
    return ResultColumn(
        field.name,
        field.type_code,
        field.length,
        field.scale,
        is_unsigned=bool(field.flags & FLAG.UNSIGNED),
        is_binary=field.charsetnr == 63,  # noqa: PLR2004 - the number of the character set `binary`
    )
