"""Whether a value changed the statement: each one that names the attacked table must be the harmless value's, but for strings."""

from collections.abc import Iterable
from typing import Final

from jivsbench.api import Wire
from jivsbench.errors import InvalidRunError
from jivsbench_security.sql.statement_texts import read_texts, strip_values
from jivsbench_security.sql.value_contexts import ValueContext

_UNSEEN: Final = "statement texts were not compared: nothing stands between the target and its server"


class TemplateStatements:
    """The fingerprints of the statements for harmless values, by place, and the comparison with those for hostile ones."""

    def __init__(self, wire: Wire | None, table: str) -> None:
        self._wire = wire
        self._table = table.encode()
        self._templates: dict[ValueContext, frozenset[str]] = {}
        self._beginning: frozenset[str] = frozenset()
        self._compared = 0

    def describe(self) -> str:
        """How much was compared."""
        if self._wire is None:
            return _UNSEEN
        return f"{self._compared} statements compared with the harmless value's"

    def mark(self) -> int:
        """The end of the record just now."""
        return 0 if self._wire is None else self._wire.mark()

    def learn_beginning(self, mark: int) -> None:
        """Take what was sent since the mark as a first harmless extraction, which asks the server what the table is like.

        Later ones know it, and may ask again whenever the cache does not answer.
        """
        self._beginning = frozenset(self._fingerprints(mark))

    def learn(self, context: ValueContext, mark: int) -> None:
        """Take what was sent since the mark as the harmless statements of a place."""
        self._templates[context] = frozenset(self._fingerprints(mark))
        if self._wire is not None and not self._templates[context]:
            raise InvalidRunError("the recorder saw no statement of a harmless extraction")

    def find_other(self, context: ValueContext, mark: int) -> str | None:
        """A fingerprint since the mark that no harmless value has in this place; None when there is none."""
        found = list(self._fingerprints(mark))
        self._compared += len(found)
        of_values = frozenset().union(*self._templates.values())
        harmless = self._templates[context] | (self._beginning - of_values)
        return next((one for one in found if one not in harmless), None)

    def _fingerprints(self, mark: int) -> Iterable[str]:
        if self._wire is None:
            return
        if not self._wire.is_complete:
            raise InvalidRunError("the recorder did not keep everything that the target sent")
        for sent in read_texts(self._wire.since(mark)):
            if self._table in sent.text:
                yield strip_values(sent.text)
