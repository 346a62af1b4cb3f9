"""A connector that crashes with its URL in the error's text, as a careless plugin does: not a hole, but what SEC-019 puts in.

Loaded into targets that SEC-019 starts for itself, by name. Whatever such a plugin raises, the target has to keep it to itself.
"""

from collections.abc import Iterable
from typing import Final, NoReturn

from jivsbench.api import Connection, Connector, ReadLimits, hookimpl
from jivsbench.model.source import DataSource

NAME: Final = "security-crashing"
SCHEME: Final = "security-crashing"


class CrashingConnector:
    """Raises on every connect."""

    @property
    def name(self) -> str:
        """Name in a data source."""
        return NAME

    @property
    def schemes(self) -> tuple[str, ...]:
        """A scheme of its own."""
        return (SCHEME,)

    @property
    def dialect(self) -> str:
        """The one that guards know best."""
        return "postgres"

    def connect(self, source: DataSource, limits: ReadLimits) -> Connection:
        """Raises RuntimeError, with the URL in its text, in its cause and in a local variable."""
        url = source.url.reveal()
        try:
            _open(url)
        except ValueError as cause:
            raise RuntimeError(f"{url} cannot be opened within {limits.connect_timeout_s} s") from cause


def _open(url: str) -> NoReturn:
    raise ValueError(f"no such place: {url}")


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer the connector that crashes."""
    return [CrashingConnector()]
