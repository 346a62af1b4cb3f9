"""Where rows come from: a named data source, and what its server says of itself."""

from dataclasses import dataclass
from enum import StrEnum

from jivsbench.model.secret import Secret


class TypePolicy(StrEnum):
    """What becomes of a value that its Arrow type cannot hold."""

    ERROR = "error"
    TEXT = "text"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class KnownHost:
    """A host's name, and the addresses that it stood for when somebody looked whether they are allowed."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataSource:
    """A named source: which connector reads it, and the URL (with the password in it) that opens it."""

    name: str
    connector: str
    url: Secret
    type_policy: TypePolicy = TypePolicy.ERROR
    tables: tuple[str, ...] | None = None
    """Tables that may be read. None: all but the system catalogue."""
    hosts: tuple[KnownHost, ...] = ()
    """Hosts of the URL that were looked up already: whoever looks again may be told another address."""

    def addresses_of(self, host: str) -> tuple[str, ...]:
        """The addresses to connect to instead of looking that host up; empty when nobody has."""
        return next((known.addresses for known in self.hosts if known.name.lower() == host.lower()), ())


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself, read when a source is tested."""

    product: str
    version: str
    user: str
    database: str
    may_write: bool | None
    """True when the session's role can write: a finding for an extraction account. None where the source does not tell."""
    max_connections: int | None = None
