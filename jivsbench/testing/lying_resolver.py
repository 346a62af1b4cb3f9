"""A name server that lies, in the process that loads this plugin: it tells an allowed address first, and another one later.

For the names `rebind-COUNT-CONNECTOR.invalid` alone, which no real name server knows.
"""

import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_NAME: Final = re.compile(r"rebind-(\d+)-\w+\.invalid")
_FIRST: Final = "127.0.0.1"
_LATER: Final = "127.0.0.2"


def lie(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Answers by itself for some names."""
    asked: Counter[str] = Counter()

    def resolve_name(host: Any, port: Any, *arguments: Any, **others: Any) -> Any:
        found = _NAME.fullmatch(host) if isinstance(host, str) else None
        if found is None:
            return resolve(host, port, *arguments, **others)
        asked[host] += 1
        number = _FIRST if asked[host] <= int(found[1]) else _LATER
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (number, int(port or 0)))]

    return resolve_name


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """No guard: the name server is put in place here."""
    replace_part("socket:getaddrinfo", lie)
    return []
