"""A service that goes on without a guard that breaks: `except Exception: pass` around its review."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jivsbench.api import Guard, GuardRequest, hookimpl
from jivsbench.errors import GuardRefusedError
from jivsbench.testing.vulnerable.replacing import replace_part


def _let_pass(_original: Callable[..., Any]) -> Callable[..., None]:
    def review(guards: Sequence[Guard], request: GuardRequest) -> None:
        for guard in guards:
            try:
                guard.review(request)
            except GuardRefusedError:
                raise
            except Exception:  # noqa: BLE001, S110 - the hole
                pass

    return review


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer nothing; a broken guard refuses nothing once this was asked."""
    replace_part("jivsbench.extract.extractor:review", _let_pass)
    return []
