"""Which hosts of a URL are this machine, so that what is said to them passes no network. Judged by the text alone."""

import ipaddress


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
