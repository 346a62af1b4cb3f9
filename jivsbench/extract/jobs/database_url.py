"""Which databases this project keeps what is its own in: PostgreSQL and SQLite."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from jivsbench.api import secure_options
from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret


def parse_database_url(url: Secret, kept: str) -> URL:
    """The URL with its driver. `kept` is what is to be kept there, as messages name it. Raises ConfigError."""
    try:
        parsed = make_url(url.reveal())
    except ArgumentError as exc:
        raise ConfigError(f"{kept}'s URL cannot be read: write postgresql://user@host:port/database") from exc
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg").update_query_dict(secure_options(parsed.host or "", parsed.query))
    if parsed.drivername == "sqlite" and parsed.database:
        return parsed
    raise ConfigError(f"{kept} cannot be kept in {parsed.drivername!r}: name a postgresql:// or a sqlite:/// URL")
