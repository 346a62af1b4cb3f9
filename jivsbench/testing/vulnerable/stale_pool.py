"""Pools that are keyed by their source's name alone, and a service that ends without ending what it has begun."""

from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def _by_name_alone(_original: Callable[..., bytes]) -> Callable[..., bytes]:
    def digest(_pools: object, _source: object) -> bytes:
        return b""

    return digest


def _do_nothing(_original: Callable[..., Any]) -> Callable[..., None]:
    def leave(*_args: object) -> None:
        """Leave everything as it is."""

    return leave


@hookimpl
def jivsbench_register_connectors() -> Iterable[Connector]:
    """Offer nothing; old pools stay, and nothing is closed at the end, once this was asked."""
    replace_part("jivsbench.extract.pool_set:PoolSet._digest", _by_name_alone)
    replace_part("jivsbench.extract.pool_set:PoolSet.forget", _do_nothing)
    replace_part("jivsbench.service.assembly:Service.close", _do_nothing)
    return []
