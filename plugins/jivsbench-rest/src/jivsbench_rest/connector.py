"""The connector itself: opens sessions with one host, and with no other."""

from dataclasses import replace
from typing import TYPE_CHECKING

from jivsbench.api import ReadLimits
from jivsbench.model.source import DataSource

if TYPE_CHECKING:
    from jivsbench_rest.connection import RestConnection


class RestConnector:
    """Reads resources of HTTP APIs that answer in pages of JSON."""

    name = "rest"
    schemes = ("rest+https", "rest+http")
    dialect = ""

    def connect(self, source: DataSource, limits: ReadLimits) -> "RestConnection":
        """Open a connection to the URL's host. Raises SourceUnreachableError when nobody answers in time."""
        from jivsbench_rest.address import parse_address
        from jivsbench_rest.connection import RestConnection
        from jivsbench_rest.exchange import Exchange

        address = parse_address(source.url)
        address = replace(address, addresses=source.addresses_of(address.host))
        exchange = Exchange(address, limits)
        exchange.open()
        return RestConnection(exchange, address, source, limits)
