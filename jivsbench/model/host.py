"""What a host is, and which are this machine, so that what is said to them passes no network. Judged by the text alone."""

import ipaddress
import re
from typing import Final

_LONGEST: Final = 253
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def is_host(text: str) -> bool:
    """True for a host's name or address and nothing besides: no scheme, no port, no blank, no brackets.

    >>> is_host("db-1.example.com"), is_host("fe80::1%eth0"), is_host("10.0.0.5:80"), is_host("10.0.0")
    (True, True, False, False)
    """
    if re.search(r"\s", text):
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        # What ends in a number is an address or a mistake, never a name (RFC 3696, 2).
        return len(text) <= _LONGEST and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()
    return True


def is_this_machine(host: str) -> bool:
    """True for `localhost`, a loopback address, a socket file, and no host at all.

    No name is looked up: whoever answers for names would decide whether a password needs protection.

    >>> is_this_machine("127.0.0.1"), is_this_machine("db.example.com")
    (True, False)
    """
    if not host or host.startswith(("/", "@")) or host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
