"""What TLS a PostgreSQL URL means, for everything that connects through libpq: one rule, wherever the URL comes from.

libpq's own default, `prefer`, would send a password in clear to whoever says "no TLS here". See docs/decisions/0032.
"""

import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from jivsbench.model.host import is_this_machine

_VERIFIED: Final = "verify-full"
_AUTHORITIES: Final = "sslrootcert"
_PLACES: Final = ("host", "hostaddr")


def secure_options(host: str, options: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """What is to be added to the options of a URL with that host (empty for none); what they say themselves stays.

    A line that leaves this machine is verified, and so is one for which the URL names any file or option of TLS, unless
    `sslmode` says otherwise. The authorities are the URL's, the environment's or the user's own, as libpq looks for them, else
    this system's.

    >>> secure_options("127.0.0.1", {}), secure_options("db.example.com", {"sslmode": "disable"})
    ({}, {})
    """
    added = {}
    if "sslmode" not in options and (
        _names_tls(options) or not all(is_this_machine(place) for place in _list_hosts(host, options))
    ):
        added["sslmode"] = _VERIFIED
    if _VERIFIED in (added.get("sslmode"), options.get("sslmode")) and not _has_authorities(options):
        found = ssl.get_default_verify_paths().cafile
        if found:
            added[_AUTHORITIES] = found
    return added


def _names_tls(options: Mapping[str, str | Sequence[str]]) -> bool:
    """Whoever names a file of TLS wants TLS; libpq would go on without it, were the server to say that it has none."""
    return any(name.startswith("ssl") for name in options)


def _list_hosts(host: str, options: Mapping[str, str | Sequence[str]]) -> Iterator[str]:
    """Every host that libpq may connect to: what the options name is before the URL's host, and that before the environment's."""
    named = [options[key] for key in _PLACES if key in options]
    texts = [text for value in named for text in ([value] if isinstance(value, str) else value)]
    if "service" in options or (not texts and not host and os.environ.get("PGSERVICE")):
        # A file of the user's says where that is, and nobody reads it here.
        yield "a service"
    for text in texts or [host or os.environ.get("PGHOSTADDR") or os.environ.get("PGHOST", "")]:
        yield from text.split(",")


def _has_authorities(options: Mapping[str, str | Sequence[str]]) -> bool:
    return (
        _AUTHORITIES in options or bool(os.environ.get("PGSSLROOTCERT")) or Path("~/.postgresql/root.crt").expanduser().exists()
    )
