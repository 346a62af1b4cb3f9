"""What the load child writes to its standard output: one message a line, as JSON."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from jivsbench.load.progress import LoadProgress
from jivsbench.load.spec import LoadOutcome

CUT: Final = "cut\n"
"""What the parent writes to the child's standard input when no further iteration may begin."""


@dataclass(frozen=True, slots=True)
class Started:
    """Everything is loaded; the first block begins now."""

    kind: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class Progressed:
    """Once a second."""

    progress: LoadProgress
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True)
class Done:
    """Every block was played; the child ends."""

    outcome: LoadOutcome
    kind: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Refused:
    """The child cannot go on, for a reason that is an error of jivsbench's own."""

    slug: str
    message: str
    kind: Literal["error"] = "error"


Message = Started | Progressed | Done | Refused


def format_message(message: Message) -> bytes:
    """One line, with its end."""
    return _adapter().dump_json(message) + b"\n"


def parse_message(line: bytes) -> Message:
    """Raises ValueError for a line that is no message."""
    return _adapter().validate_json(line)


@cache
def _adapter() -> TypeAdapter[Message]:
    return TypeAdapter(Annotated[Message, Field(discriminator="kind")])
