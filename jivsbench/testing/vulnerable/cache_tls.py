"""A Redis cache that speaks without TLS whatever its URL says: the hole that SEC-017 must find."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from jivsbench.api import Cache, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def _speak_plainly(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def parse_without_tls(url: Any) -> Any:
        return replace(parse(url), is_tls=False, tls_settings=())

    return parse_without_tls


@hookimpl
def jivsbench_register_caches() -> Iterable[Cache]:
    """Offer none, and spoil the installed one."""
    replace_part("jivsbench_redis.cache:parse_address", _speak_plainly)
    return []
