"""A reader of our output that goes away, as `head` does: the command ends, and its exit code says that it was not to its end."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Final

OUTPUTS: Final = (1, 2)


class ClosedOutputError(Exception):
    """Nobody reads any more what this command says. Never shown: there is nowhere to show it.

    It is no OSError, for click ends with exit code 1 by one of a closed pipe, which here says that a gate failed.
    """


@contextlib.contextmanager
def tell_closed_output() -> Iterator[None]:
    """Turns the error of a write that nobody reads into ClosedOutputError."""
    try:
        yield
    except BrokenPipeError as exc:
        raise ClosedOutputError from exc


def leave_outputs(outputs: Iterable[int] = OUTPUTS) -> None:
    """What is still to be written there goes nowhere: at the interpreter's end each such byte would be an error again."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for output in outputs:
            os.dup2(nowhere, output)
        os.close(nowhere)


@contextlib.contextmanager
def last_words() -> Iterator[None]:
    """What is said when the exit code is known: that stands, whether anybody reads it or not."""
    try:
        yield
    except BrokenPipeError:
        leave_outputs()
