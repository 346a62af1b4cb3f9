"""A plan of transforms: every name and type is checked against the schema when it is made, so that no row is read in vain.

Planning and applying are pure: schema in, schema out; batch in, batch out.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa

from jivsbench.errors import ExtractionError, UnknownNameError, UsageError
from jivsbench.extract.transforms.casting import build_cast
from jivsbench.extract.transforms.filtering import build_condition
from jivsbench.extract.transforms.masking import build_mask
from jivsbench.model.fingerprint import ColumnFingerprint
from jivsbench.model.secret import Secret
from jivsbench.model.table import Column, TableSchema
from jivsbench.model.transform import Cast, DropColumns, KeepColumns, KeepRows, Mask, Rename, Transform

Change = Callable[[pa.Array], pa.Array]
_Step = Callable[[list[pa.Array]], list[pa.Array]]


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """A column of the output."""

    column: Column
    origin: int
    """Its position in the source's schema."""
    is_changed: bool = False
    """True when its values are not the source's any more; another name is no change."""


@dataclass(frozen=True, slots=True)
class TransformPlan:
    """What is done to every batch, and the schema that comes out."""

    columns: tuple[PlannedColumn, ...]
    steps: tuple[_Step, ...] = ()

    @property
    def schema(self) -> TableSchema:
        """The columns of the output; each keeps the server's type of the column that it came from."""
        return TableSchema(tuple(planned.column for planned in self.columns))

    @property
    def changed_columns(self) -> tuple[str, ...]:
        """Columns of the output that cannot be compared with the source."""
        return tuple(planned.column.name for planned in self.columns if planned.is_changed)

    def apply(self, batch: pa.RecordBatch, source: pa.Schema, schema: pa.Schema) -> pa.RecordBatch:
        """A batch of `source` becomes one of `schema`, which is the plan's in Arrow. Raises TypePolicyError for a lossy cast."""
        if not self.steps:
            return batch
        if not batch.schema.equals(source):
            # A mask must not hit another column than the one it is for.
            raise ExtractionError(
                "the connector read batches of another schema than it declared: report it to the connector's author"
            )
        arrays = batch.columns
        for step in self.steps:
            arrays = step(arrays)
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def match_fingerprints(
        self, source: tuple[ColumnFingerprint, ...], disk: tuple[ColumnFingerprint, ...]
    ) -> tuple[tuple[ColumnFingerprint, ...], tuple[ColumnFingerprint, ...]]:
        """Of the columns that no transform changed, the figures of both sides in the output's order."""
        unchanged = [number for number, planned in enumerate(self.columns) if not planned.is_changed]
        return tuple(source[self.columns[number].origin] for number in unchanged), tuple(disk[number] for number in unchanged)


def plan_transforms(transforms: tuple[Transform, ...], schema: TableSchema, mask_key: Secret | None) -> TransformPlan:
    """Check transforms, each against what the ones before it leave. Raises UnknownNameError or UsageError."""
    plan = TransformPlan(tuple(PlannedColumn(column, number) for number, column in enumerate(schema.columns)))
    for transform in transforms:
        plan = _add(plan, transform, mask_key)
    return plan


def _add(plan: TransformPlan, transform: Transform, mask_key: Secret | None) -> TransformPlan:
    match transform:
        case Rename(column, to):
            return _rename(plan, _find(plan, column), to)
        case Cast(column, to):
            number = _find(plan, column)
            arrow_type, change = build_cast(column, plan.columns[number].column.arrow_type, to)
            return _change(plan, number, arrow_type, change)
        case Mask(column):
            number = _find(plan, column)
            return _change(plan, number, pa.string(), build_mask(transform, plan.columns[number].column.arrow_type, mask_key))
        case KeepRows(where):
            number = _find(plan, where.column)
            condition = build_condition(where, plan.columns[number].column.arrow_type)
            return replace(plan, steps=(*plan.steps, _build_filter(number, condition)))
        case KeepColumns(columns):
            return _choose(plan, [_find(plan, name) for name in columns])
        case DropColumns(columns):
            dropped = {_find(plan, name) for name in columns}
            return _choose(plan, [number for number in range(len(plan.columns)) if number not in dropped])


def _find(plan: TransformPlan, name: str) -> int:
    names = [planned.column.name for planned in plan.columns]
    if name not in names:
        raise UnknownNameError.among("column", name, names)
    if names.count(name) > 1:
        raise UsageError(f"a transform names the column {name!r}, and there are several of that name: rename them in the query")
    return names.index(name)


def _rename(plan: TransformPlan, number: int, to: str) -> TransformPlan:
    if any(planned.column.name == to for planned in plan.columns):
        raise UsageError(f"a column was to be renamed to {to!r}, and there is one of that name already: choose another name")
    planned = plan.columns[number]
    return _replace_column(plan, number, replace(planned, column=replace(planned.column, name=to)), lambda arrays: arrays)


def _change(plan: TransformPlan, number: int, arrow_type: pa.DataType, change: Change) -> TransformPlan:
    planned = plan.columns[number]
    changed = PlannedColumn(replace(planned.column, arrow_type=arrow_type), planned.origin, is_changed=True)
    return _replace_column(
        plan, number, changed, lambda arrays: [*arrays[:number], change(arrays[number]), *arrays[number + 1 :]]
    )


def _replace_column(plan: TransformPlan, number: int, planned: PlannedColumn, step: _Step) -> TransformPlan:
    columns = (*plan.columns[:number], planned, *plan.columns[number + 1 :])
    return replace(plan, columns=columns, steps=(*plan.steps, step))


def _choose(plan: TransformPlan, numbers: list[int]) -> TransformPlan:
    if not numbers:
        raise UsageError("the transforms leave no column: keep at least one")
    if len(set(numbers)) < len(numbers):
        raise UsageError("the transforms keep a column twice: name each once")
    columns = tuple(plan.columns[number] for number in numbers)
    return replace(plan, columns=columns, steps=(*plan.steps, lambda arrays: [arrays[number] for number in numbers]))


def _build_filter(number: int, condition: Change) -> _Step:
    def keep(arrays: list[pa.Array]) -> list[pa.Array]:
        # Where the condition is NULL the row goes.
        chosen = condition(arrays[number])
        return [array.filter(chosen) for array in arrays]

    return keep
