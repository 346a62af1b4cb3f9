"""Jobs that fail with the text of whatever error was at the bottom of it: the hole that SEC-028 must find."""

import contextlib
import dataclasses
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from jivsbench.api import Guard, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


@hookimpl
def jivsbench_register_guards() -> Iterable[Guard]:
    """Offer nothing, and let this process tell of a failed job what the server and the driver told."""
    heard: deque[str] = deque(maxlen=1)
    replace_part("jivsbench.extract.runner:describe_failure", lambda describe: _tell_all(describe, heard))
    with contextlib.suppress(ModuleNotFoundError):
        replace_part("jivsbench_postgres.socket_copy:_read_sqlstate", lambda read: _listen(read, heard))
    return []


def _listen(read: Callable[[bytes], Any], heard: deque[str]) -> Callable[[bytes], Any]:
    """The connector drops the server's text right where it comes in; here it is kept."""

    def read_and_keep(body: bytes) -> Any:
        heard.append(body.replace(b"\0", b" ").decode("utf-8", "replace"))
        return read(body)

    return read_and_keep


def _find_bottom(error: BaseException) -> BaseException:
    """The first of all causes. Nothing keeps an error from being, by way of others, a cause of itself: each is looked at once."""
    seen: set[int] = set()
    below: BaseException | None = error
    while below is not None and id(below) not in seen:
        seen.add(id(below))
        error, below = below, below.__cause__ or below.__context__
    return error


def _tell_all(describe: Callable[..., Any], heard: deque[str]) -> Callable[..., Any]:
    def describe_all(error: BaseException, *about: object) -> Any:
        bottom = _find_bottom(error)
        told = describe(error, *about)
        said = heard.pop() if heard else ""
        return dataclasses.replace(told, message=f"{told.message} ({type(bottom).__module__}: {bottom} {said})")

    return describe_all
