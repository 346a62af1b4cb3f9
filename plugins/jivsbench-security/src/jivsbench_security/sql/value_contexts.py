"""The five places in which a filter takes a value, each with the answer that plain Python gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from jivsbench_security.sql.injection_tables import BENIGN, Row
from jivsbench_security.sql.like import matches_like


class ValueContext(Enum):
    """Where a payload goes: column and operator of the filter."""

    TEXT = ("label", "=")
    LIKE = ("label", "like")
    IN = ("label", "in")
    NUMBER = ("amount", "=")
    DATE = ("day", "=")

    @property
    def column(self) -> str:
        """The filter's column."""
        return self.value[0]

    @property
    def operator(self) -> str:
        """The filter's operator."""
        return self.value[1]

    @property
    def is_typed(self) -> bool:
        """True where no payload is a value of the column's type, so that a clean refusal is an answer."""
        return self in (ValueContext.NUMBER, ValueContext.DATE)


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come back: exactly these ids; or a refusal, where one is an answer."""

    ids: tuple[int, ...]
    may_refuse: bool


def build_body(source: str, table: str, context: ValueContext, payload: str) -> Mapping[str, object]:
    """The body of POST /extractions that sends the payload."""
    values = [payload, BENIGN] if context is ValueContext.IN else [payload]
    return {
        "source": source,
        "table": table,
        "columns": ["id", "label"],
        "filters": [{"column": context.column, "operator": context.operator, "values": values}],
    }


def expect(context: ValueContext, payload: str, rows: Sequence[Row], dialect: str) -> Expected:
    """The oracle: what a connector that treats the payload as data answers."""
    match context:
        case ValueContext.TEXT:
            ids = [row.id for row in rows if row.label == payload]
        case ValueContext.IN:
            ids = [row.id for row in rows if row.label in (payload, BENIGN)]
        case ValueContext.LIKE:
            ids = [row.id for row in rows if matches_like(row.label, payload, dialect)]
        case ValueContext.NUMBER | ValueContext.DATE:
            ids = []
    # No text of PostgreSQL holds NUL, and a LIKE pattern that ends in an escape is an error there.
    odd_escape = context is ValueContext.LIKE and (len(payload) - len(payload.rstrip("\\"))) % 2 == 1
    return Expected(tuple(ids), context.is_typed or "\x00" in payload or odd_escape)
