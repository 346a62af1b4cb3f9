"""Where connectors may connect to. Looked at each time before a connector gets a URL, whoever gave it.

Every place that a URL can name counts: its host, what its query names instead, a socket, a path, and this machine where a driver
connects to it for want of a host. A URL that drivers read in another way than this module is refused. Addresses that only reach a
machine's own neighbourhood (link-local, where clouds answer with credentials) are refused unless they are allowed by number.
A connector is told the addresses that were looked at, so that a name server that lies the second time changes nothing. What this
cannot see: where a driver connects to that looks a name up again all the same, and where a server sends a connector on to.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote

from jivsbench.api import Connection, Connector, ReadLimits
from jivsbench.errors import DestinationError
from jivsbench.extract.url_parts import PLACES, list_options, split_hosts, split_port
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, KnownHost
from jivsbench.model.url import is_file_scheme, parse_url

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_CLOUD: Final = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
_LOOKS_LIKE_A_HOST: Final = re.compile(r"[\w.:%,\[\]/\\-]*")
"""Names, numbers, several of them, a socket's folder, an instance of a server."""
_DEFAULT_HOST: Final = "localhost"
_SERVERS: Final = frozenset({"mariadb", "mssql", "mysql", "oracle", "postgres", "postgresql", "rest"})
"""What is always a server. Of others nobody knows here whether a path is a file: without a host they need leave for both."""
_ADVICE: Final = "add it to `allow` under [outbound], if it is meant"


@dataclass(frozen=True, slots=True)
class Destinations:
    """Hosts, networks (10.0.0.0/8), both with or without a port, and folders. None allows all but neighbourhood addresses."""

    allowed: tuple[str, ...] | None = None

    def check(self, url: Secret) -> tuple[KnownHost, ...]:
        """The hosts that a URL names, with their addresses. Raises DestinationError, which repeats nothing of it, for others."""
        try:
            parts = parse_url(url.reveal())
            host = unquote(parts.hostname or "")
            places = tuple(_list_places(parts, host))
        except ValueError:
            raise DestinationError(
                "the source's URL cannot be read, so nobody knows where it leads: write scheme://host/name, and every @ but "
                "the one before the host as %40"
            ) from None
        if not _LOOKS_LIKE_A_HOST.fullmatch(host):
            # A password, most likely, whose user and @ are missing: as a name it would come into logs and questions to DNS.
            raise DestinationError(
                "no server can be called what stands in the source's URL where its server should be: write "
                "scheme://user:password@host/name"
            )
        found = [(place, self._check_place(place, parts.port, is_host=is_host)) for place, is_host in places]
        return tuple(KnownHost(place, addresses) for place, addresses in found if addresses)

    def _check_place(self, place: str, port: int | None, *, is_host: bool) -> tuple[str, ...]:
        """The addresses of a host, as it is written; none for a path, for an unknown name, and for several hosts in one."""
        if "\0" in place:
            raise DestinationError(
                "a place in the source's URL holds a NUL character, which no server and no file has: remove it"
            )
        if not is_host:
            self._check_path(place)
            return ()
        addresses = tuple(_resolve(place))
        if self.allowed is not None and not any(_matches(entry, place, port, addresses) for entry in self.allowed):
            raise DestinationError(f"the source's server is not among the allowed destinations: {_ADVICE}")
        # Drivers take several hosts, and a port in the query.
        reached = addresses or tuple(one for host, _ in split_hosts(place) if host for one in _resolve(host))
        if any(_is_neighbour(address) for address in reached) and not self._is_allowed_by_number(reached):
            raise DestinationError(f"the source's server has a link-local or unspecified address: {_ADVICE}")
        return tuple(dict.fromkeys(str(address) for address in addresses))

    def _check_path(self, path: str) -> None:
        if self.allowed is None or not path:
            return
        real = Path(os.path.realpath(path))
        folders = [Path(os.path.realpath(entry)) for entry in self.allowed if entry.startswith("/") and not _is_network(entry)]
        if not any(real.is_relative_to(folder) for folder in folders):
            raise DestinationError(f"the source's file or socket is not in an allowed folder: {_ADVICE}")

    def _is_allowed_by_number(self, addresses: Sequence[_Address]) -> bool:
        entries = [split_port(entry)[0] for entry in self.allowed or ()]
        return all(any(_holds(entry, address) for entry in entries) for address in addresses)


class ConfinedConnector:
    """A connector that looks where a URL leads before it connects."""

    def __init__(self, connector: Connector, destinations: Destinations) -> None:
        self._connector = connector
        self._destinations = destinations

    @property
    def name(self) -> str:
        """The connector's own name."""
        return self._connector.name

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes that it opens."""
        return self._connector.schemes

    @property
    def dialect(self) -> str:
        """Its dialect of SQL."""
        return self._connector.dialect

    def connect(self, source: DataSource, limits: ReadLimits) -> Connection:
        """Connect, unless the URL leads to where nobody may. Raises DestinationError and whatever the connector does."""
        return self._connector.connect(replace(source, hosts=self._destinations.check(source.url)), limits)


def _list_places(parts: SplitResult, host: str) -> Iterator[tuple[str, bool]]:
    """Every place that the URL may lead to, and whether it is a host; otherwise it is a path."""
    named = [value for key, value in list_options(parts.query) if key in PLACES]
    kinds = parts.scheme.split("+")
    if host:
        yield host, True
    elif not named and not is_file_scheme(parts.scheme):
        yield _DEFAULT_HOST, True
    if is_file_scheme(parts.scheme) or not (host or named or _SERVERS.intersection(kinds)):
        path = unquote(parts.path)
        # SQLite, and whatever SQLAlchemy opens, takes the first slash for the end of the host that is not there.
        yield path[1:] if {"sqlite", "sqlalchemy"}.intersection(kinds) else path, False
    for value in named:
        # libpq takes a list of hosts, and the first may be a socket's folder.
        for place in value.split(",") if value.startswith("/") else (value,):
            yield place, not place.startswith("/")


def _matches(entry: str, host: str, port: int | None, addresses: Sequence[_Address]) -> bool:
    wanted, wanted_port = split_port(entry)
    if wanted_port is not None and wanted_port != port:
        return False
    if _is_network(wanted):
        # All of them: the driver may take any.
        return bool(addresses) and all(_holds(wanted, address) for address in addresses)
    return wanted.lower().rstrip(".") == host.lower().rstrip(".")


def _holds(entry: str, address: _Address) -> bool:
    """True when that network or number holds the address; one with a zone (`fe80::1%eth0`) holds what is in that zone alone."""
    network = _network_of(entry)
    if network is None or address not in network:
        return False
    zone = network.network_address.scope_id if isinstance(network, ipaddress.IPv6Network) else None
    return zone is None or (isinstance(address, ipaddress.IPv6Address) and address.scope_id == _find_zone(zone))


def _find_zone(name: str) -> str:
    """The number of a network interface, which is what an address is resolved with; a name that is none stays."""
    try:
        return str(socket.if_nametoindex(name))
    except OSError:
        return name


def _network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_network(text: str) -> bool:
    return _network_of(text) is not None


def _resolve(host: str) -> Iterator[_Address]:
    """Every address that the name has here, also of unusual spellings of numbers; none for an unknown name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        number, percent, _ = host.partition("%")
        if percent:
            # A zone that is none here: a driver may leave it out.
            yield from _resolve(number)
        return
    for entry in found:
        place: tuple[object, ...] = entry[4]
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if isinstance(address, ipaddress.IPv4Address):
            yield address
            continue
        # The number of the network that it is on; without it nobody could connect to a link-local address.
        zone = place[3]
        yield address.ipv4_mapped or (ipaddress.IPv6Address(f"{address}%{zone}") if zone else address)


def _is_neighbour(address: _Address) -> bool:
    address = ipaddress.ip_address(str(address).partition("%")[0])
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _CLOUD
