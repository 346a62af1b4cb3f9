"""What the bodies that clients send are made of."""

from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jivsbench.model.filters import Filter, Operator

_MAX_NAME: Final = 256
_MAX_VALUES: Final = 10_000

ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=_MAX_NAME)]
Value = str | int | float | bool


class RequestBody(BaseModel):
    """A body that is sent to the service: unknown fields are refused, infinite numbers too."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FilterBody(RequestBody):
    """One condition on one column; conditions are joined by AND."""

    column: ObjectName
    operator: Operator
    values: Annotated[tuple[Value, ...], Field(max_length=_MAX_VALUES)] = ()

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        """As many values as the operator takes."""
        match self.operator:
            case Operator.IS_NULL | Operator.IS_NOT_NULL if self.values:
                raise ValueError("takes no values")
            case Operator.IN if not self.values:
                raise ValueError("takes one value or more")
            case Operator.IN | Operator.IS_NULL | Operator.IS_NOT_NULL:
                return self
            case _ if len(self.values) != 1:
                raise ValueError("takes one value")
            case _:
                return self

    def to_filter(self) -> Filter:
        """As the core sees it."""
        return Filter(self.column, self.operator, self.values)
