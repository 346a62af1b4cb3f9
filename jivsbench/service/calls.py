"""Where the routes' blocking calls run.

Inside the event loop when every one of them is short: the job store is a local file and a call takes well under a
millisecond, less than the two changes of thread that a pool costs. In threads when the job store is a server.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Calls:
    """Runs blocking functions for routes that are coroutines."""

    def __init__(self, *, are_short: bool) -> None:
        self._are_short = are_short

    async def short(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """A call that is over in under a millisecond when the job store is local."""
        if self._are_short:
            return function(*args, **kwargs)
        return await run_in_threadpool(function, *args, **kwargs)

    async def long(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """A call that may take long wherever the job store is."""
        return await run_in_threadpool(function, *args, **kwargs)
