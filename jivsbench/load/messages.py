"""What a load child and its parent say to each other: messages of JSON one way, one a line, and orders the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.load.spec import LoadArm, LoadOutcome
from jivsbench.model.record import BlockRow

# What the parent writes to the child's standard input, a line each: the answers to a rest (the other one is
# `format_go_on`), and that no further iteration may begin.
STOP: Final = "stop\n"
CUT: Final = "cut\n"

Rest = Callable[[Sequence[BlockRow]], Sequence[LoadArm] | None]
"""Told of all blocks so far at a rest: returns the targets to go on with, none for the same ones; None ends the load."""


def go_on(blocks: Sequence[BlockRow]) -> Sequence[LoadArm]:
    """For a load that is played to its end against the same targets, whatever its blocks say."""
    del blocks
    return ()


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
class Rested:
    """As many blocks were played as come before the next rest; the child waits for an answer on its standard input."""

    blocks: tuple[BlockRow, ...]
    kind: Literal["rest"] = "rest"


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


Message = Waited | Started | Progressed | Rested | Done | Refused


def format_message(message: Message) -> bytes:
    """One line, with its end."""
    return _adapter().dump_json(message) + b"\n"


def parse_message(line: bytes) -> Message:
    """Raises ValueError for a line that is no message."""
    return _adapter().validate_json(line)


def format_go_on(arms: Sequence[LoadArm]) -> str:
    """The answer to a rest by which the load goes on, with these targets; without any, with those that it has."""
    return _arms_adapter().dump_json(tuple(arms)).decode() + "\n"


def parse_answer(line: str) -> tuple[LoadArm, ...] | None:
    """The targets to go on with, none for those that are there; None when the load ends here."""
    return None if line == STOP else _arms_adapter().validate_json(line)


@cache
def _arms_adapter() -> TypeAdapter[tuple[LoadArm, ...]]:
    return TypeAdapter(tuple[LoadArm, ...])


@cache
def _adapter() -> TypeAdapter[Message]:
    return TypeAdapter(Annotated[Message, Field(discriminator="kind")])
