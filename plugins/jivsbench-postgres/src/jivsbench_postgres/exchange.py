"""What is sent to a server and what comes back, as values."""

from dataclasses import dataclass

Row = tuple[str | None, ...]
"""One row in the server's text form; None is NULL."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with its bound values, in the server's text form."""

    sql: bytes
    values: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column that a described query yields: its name, type oid and type modifier."""

    name: str
    type_oid: int
    type_modifier: int
