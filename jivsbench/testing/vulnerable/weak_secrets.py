"""A service that takes every secret, as one that is only asked for by its documentation: the hole that SEC-020 must find."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Guard, hookimpl
from jivsbench.errors import JivsbenchError
from jivsbench.model.secret import Secret
from jivsbench.testing.vulnerable.replacing import replace_part


def _find_all_strong(_estimate: Callable[[str], float]) -> Callable[[str], float]:
    return lambda _text: float("inf")


def _take_any_key(parse: Callable[[Secret], Any]) -> Callable[[Secret], Any]:
    def parse_anything(text: Secret) -> Any:
        try:
            return parse(text)
        except JivsbenchError:
            return parse(Secret(base64.b64encode(hashlib.sha256(text.reveal().encode()).digest()).decode()))

    return parse_anything


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer none, and spoil the service of the process that asks."""
    replace_part("jivsbench.service.auth:estimate_entropy_bits", _find_all_strong)
    replace_part("jivsbench.service.auth:MIN_TOKEN_CHARACTERS", lambda _least: 0)
    replace_part("jivsbench.extract.transforms.mask_key:estimate_entropy_bits", _find_all_strong)
    replace_part("jivsbench.service.assembly:parse_credential_key", _take_any_key)
    return []
