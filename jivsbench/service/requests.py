"""The bodies that clients send. Each becomes a value of the model; what does not fit never gets that far."""

from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, SecretStr, StringConstraints, model_validator

from jivsbench.model.output import OutputFormat
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.model.table import ExtractionRequest, parse_table_name
from jivsbench.service.bodies import FilterBody, ObjectName, RequestBody
from jivsbench.service.transform_bodies import TransformBody

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"
JOB_ID_PATTERN: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_MAX_QUERY: Final = 100_000
_MAX_COLUMNS: Final = 2_000
_MAX_FILTERS: Final = 100
_MAX_TRANSFORMS: Final = 1_000

SourceName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


class ExtractionBody(RequestBody):
    """What is to be extracted: a table, with columns and filters, or a query."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"source": "shop", "table": "sales.orders", "columns": ["id", "total"], "row_limit": 1000, "format": "csv"},
                {"source": "shop", "table": "orders", "filters": [{"column": "id", "operator": ">=", "values": [100]}]},
                {"source": "shop", "query": "SELECT id, total FROM orders"},
            ]
        }
    )

    source: SourceName
    table: ObjectName | None = None
    query: Annotated[str, StringConstraints(min_length=1, max_length=_MAX_QUERY)] | None = None
    columns: Annotated[tuple[ObjectName, ...], Field(max_length=_MAX_COLUMNS)] = ()
    filters: Annotated[tuple[FilterBody, ...], Field(max_length=_MAX_FILTERS)] = ()
    row_limit: Annotated[int, Field(ge=1, lt=1 << 63)] | None = None
    format: OutputFormat | None = None
    transforms: Annotated[tuple[TransformBody, ...], Field(max_length=_MAX_TRANSFORMS)] = ()

    @model_validator(mode="after")
    def _check_subject(self) -> Self:
        """A table or a query; columns and filters belong to a table."""
        if (self.table is None) == (self.query is None):
            raise ValueError("needs a table or a query, and not both")
        if self.query is not None and (self.columns or self.filters):
            raise ValueError("columns and filters go with a table: write them into the query")
        return self

    def to_request(self) -> ExtractionRequest:
        """The request as the core sees it."""
        return ExtractionRequest(
            source=self.source,
            table=parse_table_name(self.table) if self.table is not None else None,
            query=self.query,
            columns=self.columns,
            filters=tuple(body.to_filter() for body in self.filters),
            row_limit=self.row_limit,
            format=self.format,
            transforms=tuple(body.to_transform() for body in self.transforms),
        )


class SourceChange(RequestBody):
    """All of a data source but its name. The URL goes in and never comes out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"connector": "postgres", "url": "postgresql://reader:...@db:5432/shop", "tables": ["orders"]}]
        }
    )

    connector: SourceName
    url: Annotated[SecretStr, Field(min_length=1, max_length=4096)]
    type_policy: TypePolicy = TypePolicy.ERROR
    tables: tuple[ObjectName, ...] | None = None

    def to_source(self, name: str) -> DataSource:
        """The source as the core sees it."""
        return DataSource(name, self.connector, Secret(self.url.get_secret_value()), self.type_policy, self.tables)


class NewSource(SourceChange):
    """A new data source."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "shop", "connector": "postgres", "url": "postgresql://reader:...@db:5432/shop"}]}
    )

    name: SourceName
