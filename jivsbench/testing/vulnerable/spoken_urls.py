"""Connectors that log the URL which they are about to open: the hole that SEC-019 must find."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_LOG = logging.getLogger(__name__)


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer nothing, and let this process speak of every URL that it opens."""
    replace_part("jivsbench.extract.destinations:ConfinedConnector.connect", _speak)
    return []


def _speak(connect: Callable[..., Any]) -> Callable[..., Any]:
    def speak_and_connect(self: object, source: Any, limits: object) -> Any:
        _LOG.warning("connecting to %s", source.url.reveal())
        return connect(self, source, limits)

    return speak_and_connect
