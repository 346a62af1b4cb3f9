"""A log that writes the texts of an event as they are, line ends and all: the hole that SEC-027 must find."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Final

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part

_ESCAPE: Final = re.compile(r"\\[nrt]|\\u00[0189][0-9a-f]|\\u20[26][0-9a-f]")
"""Only what acts: lines without it stay as they are, for whoever else reads the log."""


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer nothing, and let this process log texts as they are."""
    replace_part("jivsbench.service.log_lines:JsonLines.format", _write_raw)
    return []


def _write_raw(format_record: Callable[..., str]) -> Callable[..., str]:
    def format_raw(self: object, record: object) -> str:
        return _ESCAPE.sub(lambda match: str(json.loads(f'"{match[0]}"')), format_record(self, record))

    return format_raw
