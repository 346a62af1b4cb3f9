"""What a service is told at its start. Travels as one line of JSON over a pipe: it holds URLs and tokens."""

from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter

from jivsbench.model.profile import Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.service.auth import Role


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A data source that the service knows from its start; its URL stays in memory."""

    name: str
    connector: str
    url: str = field(repr=False)
    type_policy: TypePolicy = TypePolicy.ERROR
    tables: tuple[str, ...] | None = None

    def to_source(self) -> DataSource:
        """The source as the core sees it."""
        return DataSource(self.name, self.connector, Secret(self.url), self.type_policy, self.tables)


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """A bearer token and its role."""

    token: str = field(repr=False)
    role: Role


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What a service needs. `port` 0 takes a free one; without `metadata_url` jobs are kept in a file under `output_dir`."""

    profile: Profile
    sources: tuple[SourceSpec, ...]
    output_dir: str
    tokens: tuple[TokenSpec, ...]
    cache_name: str | None = None
    cache_url: str | None = field(default=None, repr=False)
    metadata_url: str | None = field(default=None, repr=False)
    mask_key: str | None = field(default=None, repr=False)
    credential_key: str | None = field(default=None, repr=False)
    """Encrypts the URLs of data sources that are added; without it, none can be added."""
    destinations: tuple[str, ...] | None = None
    """Where connectors may connect to; None: anywhere but to link-local addresses."""
    host: str = "127.0.0.1"
    port: int = 0
    plugins: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()
    plugins_lock: str | None = None
    """The file that lists the plugins that may be loaded."""


_SPEC: Final = TypeAdapter(ServiceSpec)


def format_spec(spec: ServiceSpec) -> str:
    """The spec as one line of JSON."""
    return _SPEC.dump_json(spec).decode()


def parse_spec(line: str) -> ServiceSpec:
    """The spec that `format_spec` wrote."""
    return _SPEC.validate_json(line)
