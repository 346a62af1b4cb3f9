"""`[[transforms]]`: what `jivsbench extract` does to rows."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from jivsbench.config.document import Section
from jivsbench.errors import UnknownNameError
from jivsbench.model.filters import Filter, Operator
from jivsbench.model.transform import DEFAULT_KEEP, Cast, DropColumns, KeepColumns, KeepRows, Mask, Masking, Rename, Transform

TRANSFORM_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "mask": ("column", "how", "keep"),
    "rename": ("column", "to"),
    "cast": ("column", "to"),
    "filter": ("column", "operator", "values"),
    "keep": ("columns",),
    "drop": ("columns",),
}
_Choice = TypeVar("_Choice", bound=StrEnum)


def read_transforms(sections: tuple[Section, ...]) -> tuple[Transform, ...]:
    """The transforms of a file, in its order. Names of columns and types are checked when the table is known."""
    return tuple(_read_transform(section) for section in sections)


def _read_transform(section: Section) -> Transform:
    kind = section.required_text("kind")
    if kind not in TRANSFORM_KEYS:
        section.fail("kind", str(UnknownNameError.among("transform", kind, TRANSFORM_KEYS)))
    section.expect(("kind", *TRANSFORM_KEYS[kind]))
    if kind in {"keep", "drop"}:
        columns = section.texts("columns") or ()
        if not columns:
            section.fail(None, "the key 'columns' must name one column or more")
        return KeepColumns(columns) if kind == "keep" else DropColumns(columns)
    column = section.required_text("column")
    match kind:
        case "mask":
            return Mask(column, _choose(section, "how", Masking), section.integer("keep", DEFAULT_KEEP))
        case "rename":
            return Rename(column, section.required_text("to"))
        case "cast":
            return Cast(column, section.required_text("to"))
        case _:
            return KeepRows(_read_filter(section, column))


def _read_filter(section: Section, column: str) -> Filter:
    operator, values = _choose(section, "operator", Operator), section.scalars("values")
    least = 0 if operator in {Operator.IS_NULL, Operator.IS_NOT_NULL} else 1
    most = len(values) if operator is Operator.IN else least
    if not least <= len(values) <= most:
        asked = {0: "no values", 1: "one value"}[least] + (" or more" if operator is Operator.IN else "")
        section.fail("values" if "values" in section else None, f"the operator {operator.value!r} takes {asked}")
    return Filter(column, operator, values)


def _choose(section: Section, key: str, choices: type[_Choice]) -> _Choice:
    text = section.required_text(key)
    if text not in tuple(choices):
        section.fail(key, str(UnknownNameError.among(key, text, tuple(choices))))
    return choices(text)
