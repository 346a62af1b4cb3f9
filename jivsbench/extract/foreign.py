"""What is told of an exception that a plugin raised and nobody foresaw: where, and of which class, never its text.

A driver's message can quote a row, a password or a URL; the lines of code that led to it cannot.
"""

import logging
import traceback

from jivsbench.api import Connection

_log = logging.getLogger(__name__)


def log_foreign_error(doing: str, problem: BaseException) -> str:
    """Log where it was raised; returns the name of its class, for the message of the error that replaces it."""
    kind = type(problem).__name__
    frames = "".join(traceback.format_tb(problem.__traceback__))
    _log.error("%s: %s was raised here:\n%s", doing, kind, frames)
    return kind


def close_connection(connection: Connection) -> None:
    """Close a plugin's connection. What that raises is logged and goes no further: whoever closes has more to give back."""
    try:
        connection.close()
    except Exception as problem:  # noqa: BLE001 - a plugin that breaks its promise must not take a pool's room with it
        log_foreign_error("a connection could not be closed", problem)
