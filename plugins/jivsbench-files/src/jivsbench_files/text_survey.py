"""Columns whose values are texts in the file: their types, found or declared, and their values in these types."""

from difflib import get_close_matches

import pyarrow as pa

from jivsbench.errors import ConfigError, ExtractionError, TypePolicyError
from jivsbench.model.source import TypePolicy
from jivsbench.model.table import Column
from jivsbench_files.limits import refuse_excess
from jivsbench_files.tables import OpenedFile
from jivsbench_files.text_types import TextKind, convert_texts


class TextColumns:
    """The columns of all files of a table."""

    def __init__(self) -> None:
        self._kinds: dict[str, TextKind] = {}
        self._declared: dict[str, pa.DataType] = {}
        self._policy = TypePolicy.ERROR

    def add(self, names: list[str], opened: OpenedFile) -> None:
        """Take columns that a file without a header has shown until now."""
        if not self._kinds.keys() >= set(names):
            for name in names:
                self._kinds.setdefault(name, TextKind())
            check_names(list(self._kinds), opened, has_declared=False)

    def end(self, opened: OpenedFile) -> None:
        """A file without a header has ended: what is declared must have been among its columns, or those of the files before."""
        self._declared, self._policy = opened.declared, opened.policy
        check_names(list(self._kinds), opened)

    def expect(self, names: list[str], opened: OpenedFile) -> None:
        """Take a file's columns, or check that they are those of the files before."""
        check_names(names, opened)
        if not self._kinds:
            self._kinds = {name: TextKind() for name in names}
            self._declared, self._policy = opened.declared, opened.policy
        elif list(self._kinds) != names:
            raise ExtractionError(f"{opened.name!r} has not the columns of the files before it: files of one table have the same")

    def undeclared(self, opened: OpenedFile) -> list[str]:
        """Columns whose type must be found: none when all are read as texts."""
        return [] if opened.policy is TypePolicy.TEXT else [name for name in self._kinds if name not in self._declared]

    def look_at(self, name: str, texts: pa.Array) -> None:
        """Take in the texts of one column of one batch."""
        self._kinds[name].look_at(texts)

    def columns(self) -> tuple[Column, ...]:
        """All columns, in the order of the file."""
        return tuple(self._build(name, kind) for name, kind in self._kinds.items())

    def _build(self, name: str, kind: TextKind) -> Column:
        return build_column(name, self._declared.get(name), kind.to_arrow(), self._policy)


def build_column(name: str, declared: pa.DataType | None, found: pa.DataType, policy: TypePolicy) -> Column:
    """A column of the type that is declared or was found; a text when the policy makes everything a text."""
    origin = f"{found} (found)" if declared is None else f"{declared} (declared)"
    return Column(name, origin, pa.string() if policy is TypePolicy.TEXT else declared or found, is_nullable=True)


def put_declared_first(columns: tuple[Column, ...], declared: dict[str, pa.DataType]) -> tuple[Column, ...]:
    """In the order of the declarations, where the file's own order depends on which value comes first."""
    by_name = {column.name: column for column in columns}
    return tuple(by_name[name] for name in dict.fromkeys((*declared, *by_name)))


def check_names(names: list[str], opened: OpenedFile, *, has_declared: bool = True) -> None:
    """Raise for names that are not unique, too many, or for declarations of columns that are not there."""
    if len(names) > opened.limits.max_columns:
        raise refuse_excess(repr(opened.name), "max_columns", opened.limits.max_columns, f"there are {len(names):,} columns")
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) != len(names) else set()
    if twice:
        raise ExtractionError(f"{opened.name!r} has two columns {min(twice)!r}: give each a name of its own")
    unknown = [name for name in opened.declared if has_declared and name not in names]
    if unknown:
        near = get_close_matches(unknown[0], names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "correct the declaration"
        raise ConfigError(f"a type is declared for column {unknown[0]!r}, which {opened.name!r} does not have: {hint}")


def convert_batch(texts: pa.RecordBatch, columns: tuple[Column, ...], opened: OpenedFile, first_row: int) -> pa.RecordBatch:
    """A batch of texts as values. Raises TypePolicyError naming file, column and row, unless the policy makes them NULL."""
    arrays = [convert_column(texts.column(number), column, opened, first_row) for number, column in enumerate(columns)]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def convert_column(texts: pa.Array, column: Column, opened: OpenedFile, first_row: int) -> pa.Array:
    """One column of it."""
    values, unfit = convert_texts(texts, column.arrow_type)
    if unfit is None or opened.policy is TypePolicy.NULL:
        return values
    raise refuse_value(column, opened, first_row + unfit.index(True).as_py())


def refuse_value(column: Column, opened: OpenedFile, row: int) -> TypePolicyError:
    """The error for a value; `row` counts from 0."""
    return TypePolicyError(
        f"{opened.name!r}, row {row + 1}: column {column.name!r} ({column.server_type}) holds a value that Arrow's "
        f"{column.arrow_type} cannot hold: set the source's type_policy to 'text' or 'null', or declare the column otherwise"
    )
