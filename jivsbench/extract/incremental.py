"""Increments of a table: the rows that are new or changed since the last one, and a file that says where the next begins.

What is lost for good is a row that nobody reads; a row that comes twice can be told by its key. So an increment begins where
the one before cannot have missed anything, and the file is written only when the increment's output is complete.
"""

import hashlib
import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from jivsbench.errors import OutputError, ResumeError, UsageError
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.folders import output_errors, sync_folder, write_synced
from jivsbench.extract.manifest import IncrementMode, ManifestIncrement
from jivsbench.model.job import ExtractionResult
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, Filter, Operator, Watermark

_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Series:
    """Which increments belong together."""

    column: str
    state: Path
    overlap: int | None = None
    is_full: bool = False
    """Begin anew with every row, whatever the state says."""


@dataclass(frozen=True, slots=True)
class SeriesState:
    """Where the next increment begins, and of what."""

    format_version: int
    source: str
    table: str
    column: str
    columns: tuple[str, ...]
    table_id: str
    read_from: str | None


def extract_increment(
    extractor: Extractor, job_id: str, source: DataSource, request: ExtractionRequest, series: Series
) -> tuple[ExtractionResult, IncrementMode]:
    """Extract what is new since the state was written, or all, and write the state anew when the output is complete."""
    if request.row_limit is not None:
        raise UsageError("an increment is read whole, or the rest would never come: leave out the limit")
    if request.transforms:
        raise UsageError("rows that come twice are told by their key, which transforms may change: transform what was merged")
    if not series.state.parent.is_dir():
        raise OutputError(f"the folder of the state file {series.state} does not exist: make it, or name another file")
    before = _read_content(series.state)
    # Before the snapshot: a transaction that is open when the rows are read was open now, or begins later than now.
    watermark = extractor.watermark(source, request, series.column, series.overlap)
    _check_columns(request, series.column, watermark)
    state = _build_state(source, request, series.column, watermark)
    last = None if series.is_full or before is None else parse_state(before, series.state)
    if last is not None:
        _check_series(last, state, series.state)
    mode = IncrementMode.FULL
    if last is not None and last.read_from is not None:
        mode = IncrementMode.INCREMENTAL
        since = Filter(series.column, Operator.GREATER_OR_EQUAL, (last.read_from,))
        request = replace(request, filters=(*request.filters, since))
    increment = ManifestIncrement(mode, series.column, watermark.key)
    result = extractor.extract(job_id, source, request, increment=increment)
    write_state(series.state, state, before)
    return result, mode


def parse_state(content: bytes, path: Path) -> SeriesState:
    """From a file's content. Raises ResumeError when it is damaged, or of another version."""
    # Loading pydantic takes longer than a small extraction, and a first increment does without it.
    from pydantic import TypeAdapter, ValidationError

    digest, _, record = content.rstrip(b"\n").partition(b" ")
    if digest != hashlib.sha256(record).hexdigest().encode():
        raise ResumeError(f"the state file {path} is damaged: begin the series anew with --full")
    try:
        state: SeriesState = TypeAdapter(SeriesState).validate_json(record)
    except ValidationError:
        state = SeriesState(0, "", "", "", (), "", None)
    if state.format_version != _FORMAT_VERSION:
        raise ResumeError(f"the state file {path} is of another version of jivsbench: go on with that one, or begin with --full")
    return state


def write_state(path: Path, state: SeriesState, before: bytes | None) -> None:
    """Put a state in place of the one that was read: all of it or nothing. Raises ResumeError when another run was faster."""
    record = json.dumps(asdict(state)).encode()
    temporary = path.with_name(f"{path.name}.tmp-{secrets.token_hex(4)}")
    with output_errors(str(path.parent)):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                write_synced(descriptor, hashlib.sha256(record).hexdigest().encode() + b" " + record + b"\n")
            finally:
                os.close(descriptor)
            if _read_content(path) != before:
                raise ResumeError(
                    f"another run wrote {path} in the meantime: the output is complete, but it is not the next of the series; "
                    "run one at a time"
                )
            temporary.replace(path)
            sync_folder(str(path.parent))
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _read_content(path: Path) -> bytes | None:
    with output_errors(str(path.parent)):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def _build_state(source: DataSource, request: ExtractionRequest, column: str, watermark: Watermark) -> SeriesState:
    return SeriesState(
        format_version=_FORMAT_VERSION,
        source=f"{source.name} ({source.connector})",
        table=str(request.table),
        column=column,
        columns=request.columns,
        table_id=watermark.table_id,
        read_from=watermark.read_from,
    )


def _check_columns(request: ExtractionRequest, column: str, watermark: Watermark) -> None:
    missing = [name for name in (*watermark.key, column) if request.columns and name not in request.columns]
    if missing:
        raise UsageError(
            f"rows that come twice are told by {', '.join(missing)}: name it in --columns too, or leave --columns out"
        )


def _check_series(last: SeriesState, now: SeriesState, path: Path) -> None:
    for name in ("source", "table", "column", "columns", "table_id"):
        if getattr(last, name) != getattr(now, name):
            raise ResumeError(
                f"the state file {path} is of another {name.replace('table_id', 'table of that name')}: name another file, "
                "or begin anew with --full"
            )
