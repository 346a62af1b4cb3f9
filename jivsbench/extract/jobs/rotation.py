"""Encrypts every stored URL anew: with another key, or for the first time when an older version kept it as it was."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, update

from jivsbench.extract.credentials import CredentialOwner, CredentialVault
from jivsbench.extract.credentials.vault import is_sealed
from jivsbench.extract.jobs.database import StoreDatabase
from jivsbench.extract.jobs.models import DATA_SOURCES
from jivsbench.model.secret import Secret

_KEPT: Final = (
    select(DATA_SOURCES.c.id, DATA_SOURCES.c.name, DATA_SOURCES.c.connector, DATA_SOURCES.c.url)
    .where(DATA_SOURCES.c.url.is_not(None))
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """How many URLs were encrypted anew, and how many of them for the first time."""

    key_id: str
    sealed: int
    were_plain: int


def rotate_urls(database: StoreDatabase, old: CredentialVault | None, new: CredentialVault) -> Rotation:
    """All of them in one transaction, or none. Raises CredentialError for one that neither key opens.

    A URL that the new key opens already is encrypted anew as well, so a rotation that is repeated changes nothing else.
    """
    with database.writing() as connection:
        rows = connection.execute(_KEPT).all()
        were_plain = 0
        for row in rows:
            owner = CredentialOwner(row.id, row.name, row.connector)
            if is_sealed(row.url):
                vault = old if old is not None and f":{old.key_id}:" in row.url else new
                url = vault.open(row.url, owner)
            else:
                url = Secret(row.url)
                were_plain += 1
            connection.execute(update(DATA_SOURCES).where(DATA_SOURCES.c.id == row.id).values(url=new.seal(url, owner)))
    return Rotation(new.key_id, len(rows), were_plain)
