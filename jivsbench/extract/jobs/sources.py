"""Data sources in the store. Their URLs go in encrypted, and come out of `read_url` alone."""

from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from jivsbench.errors import CredentialError, DuplicateNameError
from jivsbench.extract.credentials import CredentialOwner, CredentialVault
from jivsbench.extract.jobs.database import StoreDatabase
from jivsbench.extract.jobs.instants import read_clock_us
from jivsbench.extract.jobs.models import DATA_SOURCES
from jivsbench.extract.jobs.rows import format_tables, read_source
from jivsbench.extract.jobs.values import SourceRecord
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource

_SHOWN: Final = (
    DATA_SOURCES.c.id,
    DATA_SOURCES.c.name,
    DATA_SOURCES.c.connector,
    DATA_SOURCES.c.type_policy,
    DATA_SOURCES.c.tables,
    DATA_SOURCES.c.is_declared,
    DATA_SOURCES.c.revision,
    DATA_SOURCES.c.created_us,
    DATA_SOURCES.c.updated_us,
)
_ALL: Final = select(*_SHOWN).where(DATA_SOURCES.c.is_active).order_by(DATA_SOURCES.c.name)
_FIND: Final = select(*_SHOWN).where(DATA_SOURCES.c.is_active, DATA_SOURCES.c.name == bindparam("wanted"))
_READ_URL: Final = select(DATA_SOURCES.c.url, DATA_SOURCES.c.id, DATA_SOURCES.c.name, DATA_SOURCES.c.connector).where(
    DATA_SOURCES.c.is_active, DATA_SOURCES.c.id == bindparam("wanted")
)
_FIND_ID: Final = (
    select(DATA_SOURCES.c.id).where(DATA_SOURCES.c.is_active, DATA_SOURCES.c.name == bindparam("wanted")).with_for_update()
)
_CHANGE: Final = (
    update(DATA_SOURCES)
    .where(DATA_SOURCES.c.is_active, DATA_SOURCES.c.name == bindparam("wanted"))
    .values(revision=DATA_SOURCES.c.revision + 1)
)


class SourceStore:
    """All data sources of one database. Without a vault it keeps no URL: only declared sources can be stored."""

    def __init__(self, database: StoreDatabase, vault: CredentialVault | None = None) -> None:
        self._database = database
        self._vault = vault

    def add(self, source: DataSource, *, is_declared: bool = False) -> SourceRecord:
        """Store a new source. Raises DuplicateNameError when an active one has its name, CredentialError without a key."""
        now_us = read_clock_us()
        row = {**_build_row(source, is_declared=is_declared), "name": source.name, "is_active": True, "revision": 1}
        try:
            with self._database.writing() as connection:
                added = connection.execute(insert(DATA_SOURCES), {**row, "created_us": now_us, "updated_us": now_us})
                source_id = added.inserted_primary_key
                assert source_id is not None
                self._put_url(connection, source_id[0], source, is_declared=is_declared)
        except IntegrityError as exc:
            raise DuplicateNameError(
                f"a data source called {source.name!r} exists already: change that one, or choose another name"
            ) from exc
        return self._require(source.name)

    def replace(self, source: DataSource, *, is_declared: bool = False) -> SourceRecord | None:
        """Change everything but the name; None when there is no such source. Raises CredentialError without a key."""
        row = _build_row(source, is_declared=is_declared)
        with self._database.writing() as connection:
            source_id = connection.execute(_FIND_ID, {"wanted": source.name}).scalar()
            if source_id is None:
                return None
            connection.execute(_CHANGE.values(**row, updated_us=read_clock_us()), {"wanted": source.name})
            self._put_url(connection, source_id, source, is_declared=is_declared)
        return self._require(source.name)

    def declare(self, source: DataSource) -> SourceRecord:
        """Store a source that was given at start, without its URL; it takes the place of a stored one of its name."""
        return self.replace(source, is_declared=True) or self.add(source, is_declared=True)

    def remove(self, name: str) -> bool:
        """Make a source inactive and erase its URL; jobs keep naming it. False when there is none."""
        statement = _CHANGE.values(is_active=False, url=None, updated_us=read_clock_us())
        with self._database.writing() as connection:
            return connection.execute(statement, {"wanted": name}).rowcount == 1

    def find(self, name: str) -> SourceRecord | None:
        """The active source of that name."""
        with self._database.reading() as connection:
            row = connection.execute(_FIND, {"wanted": name}).first()
        return read_source(row) if row else None

    def list_sources(self) -> tuple[SourceRecord, ...]:
        """Every active source, by name."""
        with self._database.reading() as connection:
            return tuple(read_source(row) for row in connection.execute(_ALL))

    def read_url(self, source_id: int) -> Secret | None:
        """The stored URL; None for a declared source, and for one that is gone. Raises CredentialError when it does not open."""
        with self._database.reading() as connection:
            row = connection.execute(_READ_URL, {"wanted": source_id}).first()
        if row is None or not row.url:
            return None
        return self._require_vault(row.name).open(row.url, CredentialOwner(row.id, row.name, row.connector))

    def _put_url(self, connection: Connection, source_id: int, source: DataSource, *, is_declared: bool) -> None:
        """The row is known now, so the URL can be bound to it."""
        if is_declared:
            return
        sealed = self._require_vault(source.name).seal(source.url, CredentialOwner(source_id, source.name, source.connector))
        connection.execute(update(DATA_SOURCES).where(DATA_SOURCES.c.id == source_id).values(url=sealed))

    def _require_vault(self, name: str) -> CredentialVault:
        if self._vault is None:
            raise CredentialError(
                f"the URL of data source {name!r} is kept encrypted, and this service has no credential key: start it with "
                "key_file under [credentials] or JIVSBENCH_CREDENTIAL_KEY_FILE, or declare the source at start"
            )
        return self._vault

    def _require(self, name: str) -> SourceRecord:
        found = self.find(name)
        if found is None:
            raise DuplicateNameError(f"data source {name!r} was removed while it was changed: ask again")
        return found


def _build_row(source: DataSource, *, is_declared: bool) -> dict[str, str | bool | None]:
    """All but the URL, which is sealed for a row that exists."""
    return {
        "connector": source.connector,
        "url": None,
        "type_policy": source.type_policy.value,
        "tables": format_tables(source.tables),
        "is_declared": is_declared,
    }
