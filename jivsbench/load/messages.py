"""What a load child and its parent say to each other: messages of JSON one way, one a line, and three orders the other."""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.load.spec import LoadOutcome
from jivsbench.model.record import BlockRow

# What the parent writes to the child's standard input: the answers to a look, and that no further iteration may begin.
GO_ON: Final = "go on\n"
STOP: Final = "stop\n"
CUT: Final = "cut\n"


@dataclass(frozen=True, slots=True)
class Waited:
    """Once a second while load machines are missing."""

    machines: LoadMachines
    kind: Literal["waited"] = "waited"


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
class Looked:
    """As many blocks were played as the next look wants; the child waits for `GO_ON` or `STOP` on its standard input."""

    blocks: tuple[BlockRow, ...]
    kind: Literal["look"] = "look"


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


Message = Waited | Started | Progressed | Looked | Done | Refused


def format_message(message: Message) -> bytes:
    """One line, with its end."""
    return _adapter().dump_json(message) + b"\n"


def parse_message(line: bytes) -> Message:
    """Raises ValueError for a line that is no message."""
    return _adapter().validate_json(line)


@cache
def _adapter() -> TypeAdapter[Message]:
    return TypeAdapter(Annotated[Message, Field(discriminator="kind")])
