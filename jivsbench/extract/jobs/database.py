"""The connection to the job store's database: SQLite in a private file, or a PostgreSQL that was named.

SQLite is opened the same way for every profile: WAL, synchronous NORMAL, busy timeout, foreign keys. Writers of this
process take turns under a lock, because SQLite's own waiting is sleep and retry.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from jivsbench.errors import EnvironmentProblem, OutputError, PoolTimeoutError
from jivsbench.extract.jobs.database_url import parse_database_url
from jivsbench.extract.jobs.migrations import upgrade
from jivsbench.model.profile import MetadataPoolLimits
from jivsbench.model.secret import Secret, format_url_without_secret
from jivsbench.private_folders import make_private_folder

_BUSY_TIMEOUT_MS: Final = 5000
# A checkpoint writes to the main file and syncs it while the next writer waits: rarer and larger costs less than often.
_CHECKPOINT_PAGES: Final = 8000
# Each holds two files, for good: one that is first needed after an hour would look like a leak of handles.
_OPENED_AHEAD: Final = 4
_FILE: Final = "jobs.sqlite3"
STORE_FOLDER: Final = ".jobs"
"""The folder within a service's output folder that holds its store."""


class _Cursor(Protocol):
    def execute(self, sql: str, /) -> object: ...
    def close(self) -> None: ...


class _DriverConnection(Protocol):
    def cursor(self) -> _Cursor: ...


class StoreDatabase:
    """An open, migrated database with its connection pool."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_local = engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[object] = threading.Lock() if self.is_local else nullcontext()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end. Raises PoolTimeoutError when no connection was free in time."""
        with self._turn, _naming_pool_timeout(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reads. Raises PoolTimeoutError when none was free in time."""
        with _naming_pool_timeout(), self.engine.connect() as connection:
            yield connection

    def is_answering(self) -> bool:
        """One round trip. Never raises."""
        try:
            with self.engine.connect() as connection:
                return connection.execute(text("SELECT 1")).scalar() == 1
        except SQLAlchemyError:
            return False

    def pool_sizes(self) -> tuple[int, int]:
        """Connections in use, and idle ones."""
        pool = self.engine.pool
        return (pool.checkedout(), pool.checkedin()) if isinstance(pool, QueuePool) else (0, 0)

    def close(self) -> None:
        """Close every idle connection; one in use closes when it comes back."""
        self.engine.dispose()


@contextmanager
def _naming_pool_timeout() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as exc:
        raise PoolTimeoutError("no connection to the job store was free in time: send less at once, or allow more") from exc


def open_database(url: Secret | None, folder: Path, limits: MetadataPoolLimits, *, has_indexes: bool = True) -> StoreDatabase:
    """Connect and migrate. Without a URL: a SQLite file of mode 0600 in `folder`, which is made with mode 0700.

    Raises ConfigError for a URL that is neither PostgreSQL nor SQLite, OutputError for a folder that cannot be written,
    EnvironmentProblem when the server does not answer.
    """
    target = parse_database_url(url, "the job store") if url else URL.create("sqlite", database=str(_make_private_file(folder)))
    engine = create_engine(
        target,
        pool_size=limits.size,
        max_overflow=limits.max_overflow,
        pool_timeout=limits.timeout_s,
        hide_parameters=True,
        **({} if target.drivername == "sqlite" else {"pool_pre_ping": True}),
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    try:
        with engine.begin() as connection:
            upgrade(connection, has_indexes=has_indexes)
        if engine.dialect.name == "sqlite":
            _open_ahead(engine, min(_OPENED_AHEAD, limits.size))
    except SQLAlchemyError as exc:
        engine.dispose()
        shown = format_url_without_secret(url) if url else f"the file {_FILE}"
        # The driver's own words can hold the password (libpq prints parts of a bad URL), so only its class is named.
        raise EnvironmentProblem(
            f"the job store {shown} could not be opened ({type(exc).__name__}): is the server up, may the user create tables?"
        ) from exc
    return StoreDatabase(engine)


def _make_private_file(folder: Path) -> Path:
    path = folder / _FILE
    try:
        make_private_folder(folder)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        # It may have been made by someone less careful; SQLite gives its WAL the mode of the file.
        path.chmod(0o600)
    except OSError as exc:
        raise OutputError(f"the job store cannot be kept in {folder}: {exc.strerror}") from exc
    return path


def _open_ahead(engine: Engine, count: int) -> None:
    with ExitStack() as connections:
        for _ in range(count):
            connections.enter_context(engine.connect())


def _prepare_sqlite(connection: _DriverConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
