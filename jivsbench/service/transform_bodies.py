"""Transforms as clients send them."""

from typing import Annotated, Final, Literal

from pydantic import Field

from jivsbench.model.transform import DEFAULT_KEEP, Cast, DropColumns, KeepColumns, KeepRows, Mask, Masking, Rename, Transform
from jivsbench.service.bodies import FilterBody, ObjectName, RequestBody

_MAX_KEPT: Final = 1_000
_MAX_COLUMNS: Final = 2_000
_Columns = Annotated[tuple[ObjectName, ...], Field(min_length=1, max_length=_MAX_COLUMNS)]


class MaskBody(RequestBody):
    """Hide the values of a column; `keep` is for `last` alone."""

    kind: Literal["mask"]
    column: ObjectName
    how: Masking
    keep: Annotated[int, Field(ge=1, le=_MAX_KEPT)] = DEFAULT_KEEP

    def to_transform(self) -> Transform:
        """As the core sees it."""
        return Mask(self.column, self.how, self.keep)


class RenameBody(RequestBody):
    """Give a column another name."""

    kind: Literal["rename"]
    column: ObjectName
    to: ObjectName

    def to_transform(self) -> Transform:
        """As the core sees it."""
        return Rename(self.column, self.to)


class CastBody(RequestBody):
    """Change a column's type; a value that does not fit exactly fails the job."""

    kind: Literal["cast"]
    column: ObjectName
    to: ObjectName

    def to_transform(self) -> Transform:
        """As the core sees it."""
        return Cast(self.column, self.to)


class KeepRowsBody(FilterBody):
    """Leave out the rows that do not meet the condition, after they were read and counted."""

    kind: Literal["filter"]

    def to_transform(self) -> Transform:
        """As the core sees it."""
        return KeepRows(self.to_filter())


class KeepColumnsBody(RequestBody):
    """Leave out all other columns."""

    kind: Literal["keep"]
    columns: _Columns

    def to_transform(self) -> Transform:
        """As the core sees it."""
        return KeepColumns(self.columns)


class DropColumnsBody(RequestBody):
    """Leave out these columns."""

    kind: Literal["drop"]
    columns: _Columns

    def to_transform(self) -> Transform:
        """As the core sees it."""
        return DropColumns(self.columns)


TransformBody = Annotated[
    MaskBody | RenameBody | CastBody | KeepRowsBody | KeepColumnsBody | DropColumnsBody, Field(discriminator="kind")
]
