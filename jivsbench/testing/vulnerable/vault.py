"""A credential store whose encryption is bound to nothing: AES-GCM without associated data. The hole that SEC-018 must find."""

from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def _bind_to_nothing(_associate: Callable[..., bytes]) -> Callable[..., bytes]:
    def associate_nothing(_self: Any, _owner: Any) -> bytes:
        return b""

    return associate_nothing


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer none, and spoil the store of the process that asks."""
    replace_part("jivsbench.extract.credentials.vault:CredentialVault._associate", _bind_to_nothing)
    return []
