"""The service's log: one event, one line of JSON on standard error, without secrets and without the text of foreign errors."""

import contextvars
import json
import logging
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

from jivsbench.errors import JivsbenchError
from jivsbench.extract.jobs.failures import find_secret_parts
from jivsbench.model.secret import Secret

correlation: Final[contextvars.ContextVar[str | None]] = contextvars.ContextVar("correlation", default=None)
"""Id of the request that the current task answers."""

_BUILT_IN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_SHORTEST_SECRET: Final = 4
_ErrorTriple = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON. JSON escapes control characters and direction marks, so nothing forges a line."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        super().__init__()
        parts = {part for secret in secrets for part in find_secret_parts(secret) if len(part) >= _SHORTEST_SECRET}
        self._secrets = sorted(parts, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end."""
        fields: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request := correlation.get()) is not None:
            fields["correlation_id"] = request
        fields |= {name: value for name, value in vars(record).items() if name not in _BUILT_IN}
        if record.exc_info:
            fields["error"], fields["frames"] = _describe(record.exc_info)
        return json.dumps(self._redact(fields), default=lambda value: type(value).__name__)

    def _redact(self, value: object) -> object:
        if isinstance(value, dict):
            return {self._redact(key): self._redact(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._redact(item) for item in value]
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, "***")
        return value


def log_to_stderr(secrets: Sequence[Secret]) -> None:
    """Send every logger of the process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for chatty in ("alembic", "uvicorn.error", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _describe(error: _ErrorTriple) -> tuple[str, list[str]]:
    """Class (and text, when the error is ours) and the places it came through; never a value, a local or a foreign text."""
    kind, problem, trace = error
    name = kind.__name__ if kind else "unknown"
    text = f"{name}: {problem}" if isinstance(problem, JivsbenchError) else name
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
    return text, frames
