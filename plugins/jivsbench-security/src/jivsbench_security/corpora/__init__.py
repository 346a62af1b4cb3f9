"""Texts to send as raw queries: hostile ones that must be refused, legitimate ones that must not. Data files, read on demand."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Statement:
    """One text of a corpus; `group` says what it is, `index` its place in the group."""

    group: str
    index: int
    sql: str

    @property
    def name(self) -> str:
        """Name for findings, e.g. "stacked-3"."""
        return f"{self.group}-{self.index}"


def load_hostile(dialect: str) -> tuple[Statement, ...]:
    """Texts that a guard must refuse for a source of that dialect."""
    return _load("hostile.toml", dialect)


def load_legitimate(dialect: str) -> tuple[Statement, ...]:
    """Queries that a guard must let through for a source of that dialect, the 22 over the TPC-H schema first."""
    return (*_load("tpch.toml", dialect), *_load("legitimate.toml", dialect))


def _load(name: str, dialect: str) -> tuple[Statement, ...]:
    document: dict[str, Any] = tomllib.loads(files(__name__).joinpath(name).read_text(encoding="utf-8"))
    return tuple(
        Statement(group["name"], index, sql)
        for group in document["group"]
        if dialect in group["dialects"]
        for index, sql in enumerate(group["statements"], start=1)
    )
