"""Report templates that do not escape: the hole that SEC-026 must find."""

from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer nothing, and let this process render names and errors as markup."""
    replace_part("jivsbench.report.environment:build_environment", _stop_escaping)
    return []


def _stop_escaping(build: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: build().overlay(autoescape=False, finalize=lambda value: value)
