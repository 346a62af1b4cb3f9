"""The manifest of a finished job: what was read, how it was verified, with which settings. No secret, no row's value."""

import hashlib
import json
import platform
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import pyarrow as pa

import jivsbench
from jivsbench.extract.sinks import Encoding
from jivsbench.extract.transforms import TransformPlan
from jivsbench.model.output import EscapedCells, OutputFormat
from jivsbench.model.profile import Switches, Verification
from jivsbench.model.source import DataSource
from jivsbench.model.table import Consistency, ExtractionRequest, TableSchema
from jivsbench.model.transform import describe_transform

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ManifestColumn:
    """A column as the server declares it, and the Arrow type in the file."""

    name: str
    server_type: str
    arrow_type: str
    is_nullable: bool


@dataclass(frozen=True, slots=True)
class ManifestRequest:
    """What was asked. Filters stand without their values, a query as a digest: both can hold what rows hold."""

    table: str | None
    query_sha256: str | None
    columns: tuple[str, ...]
    filters: tuple[str, ...]
    row_limit: int | None


@dataclass(frozen=True, slots=True)
class ManifestPartition:
    """One partition: its file, and its rows by three counts."""

    index: int
    file: str
    size_bytes: int
    rows_in_source: int | None
    """None when the source cannot count its rows: then only what was read is compared with what was written."""
    rows_read: int
    rows_filtered: int
    """Left out by a transform: read, and neither written nor lost."""
    rows_written: int
    snapshot: str | None = None
    """What it was read under; None when the source shares no snapshots, or the manifest is of an older version."""


class IncrementMode(StrEnum):
    """What an increment holds."""

    FULL = "FULL"
    """Every row: the first of a series."""
    INCREMENTAL = "INCREMENTAL"
    """The rows that are new or changed since the one before, and some that came before."""


@dataclass(frozen=True, slots=True)
class ManifestIncrement:
    """One of a series of outputs. A row can come in several: of each key the one of the latest output counts."""

    mode: IncrementMode
    column: str
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ManifestOutput:
    """How the rows lie in the files."""

    format: str
    compression: str
    """`zstd` or `none`."""
    rules: tuple[str, ...]
    """What became of values for which the format leaves a choice."""
    escaped_cells: tuple[EscapedCells, ...]
    """By column, what is not written as the source has it, by the last of the rules."""


@dataclass(frozen=True, slots=True)
class Versions:
    """What wrote the files."""

    jivsbench: str
    pyarrow: str
    python: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Written last: a folder without it is not complete."""

    format_version: int
    job_id: str
    source: str
    connector: str
    request: ManifestRequest
    columns: tuple[ManifestColumn, ...]
    partitions: tuple[ManifestPartition, ...]
    row_count: int
    transforms: tuple[str, ...]
    """What was done to the rows, in this order, without values."""
    changed_columns: tuple[str, ...]
    """Columns of the output whose values are not the source's any more: verification by columns passes over them."""
    output: ManifestOutput
    verification: str
    consistency: str
    """A `jivsbench.model.table.Consistency`."""
    snapshot: str | None
    streams: int
    switches: Switches
    versions: Versions
    increment: ManifestIncrement | None = None
    type_policy: str | None = None
    """The source's `jivsbench.model.source.TypePolicy`; None when the manifest is of an older version."""


def describe_request(request: ExtractionRequest) -> ManifestRequest:
    """A request without any value that rows could hold."""
    return ManifestRequest(
        table=str(request.table) if request.table else None,
        query_sha256=hashlib.sha256(request.query.encode()).hexdigest() if request.query else None,
        columns=request.columns,
        filters=tuple(f"{f.column} {f.operator}" for f in request.filters),
        row_limit=request.row_limit,
    )


def describe_output(output_format: OutputFormat, encoding: Encoding, escaped_cells: tuple[EscapedCells, ...]) -> ManifestOutput:
    """The format of the files and what it did to values."""
    return ManifestOutput(output_format.value, "zstd" if encoding.is_compressed else "none", encoding.rules, escaped_cells)


def describe_columns(schema: TableSchema) -> tuple[ManifestColumn, ...]:
    """The columns of a schema, with their Arrow types as text."""
    return tuple(ManifestColumn(c.name, c.server_type, str(c.arrow_type), c.is_nullable) for c in schema.columns)


def build_manifest(
    job_id: str,
    source: DataSource,
    request: ExtractionRequest,
    partitions: tuple[ManifestPartition, ...],
    *,
    plan: TransformPlan,
    output: ManifestOutput,
    consistency: Consistency,
    snapshot: str | None,
    streams: int,
    switches: Switches,
    verification: Verification,
    increment: ManifestIncrement | None = None,
) -> Manifest:
    """The manifest of partitions that were all verified."""
    return Manifest(
        format_version=FORMAT_VERSION,
        job_id=job_id,
        source=source.name,
        connector=source.connector,
        request=describe_request(request),
        columns=describe_columns(plan.schema),
        partitions=partitions,
        row_count=sum(p.rows_written for p in partitions),
        transforms=tuple(describe_transform(transform) for transform in request.transforms),
        changed_columns=plan.changed_columns,
        output=output,
        verification=verification.value,
        consistency=consistency.value,
        snapshot=snapshot,
        streams=streams,
        switches=switches,
        versions=versions(),
        increment=increment,
        type_policy=source.type_policy.value,
    )


def format_manifest(manifest: Manifest) -> bytes:
    """As JSON, on one line: only that form is encoded in C, and every job writes one."""
    return json.dumps(manifest, default=_fields_of).encode()


def parse_manifest(content: bytes) -> Manifest:
    """From JSON; raises pydantic's ValidationError for anything else."""
    # Loading pydantic takes longer than a small extraction, and writing a manifest does without it.
    from pydantic import TypeAdapter

    manifest: Manifest = TypeAdapter(Manifest).validate_json(content)
    return manifest


@cache
def versions() -> Versions:
    """What writes the files."""
    return Versions(jivsbench.__version__, pa.__version__, platform.python_version())


def _fields_of(value: object) -> dict[str, object]:
    # Every value above is a slotted dataclass; `fields()` would take four times as long.
    names: tuple[str, ...] = type(value).__slots__  # type: ignore[attr-defined]
    return {name: getattr(value, name) for name in names}
