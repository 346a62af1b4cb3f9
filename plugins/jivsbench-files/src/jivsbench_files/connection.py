"""One session with a folder of files."""

import contextlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

import pyarrow as pa

from jivsbench.api import ReadLimits
from jivsbench.errors import CancelledJobError, DeadlineError, ExtractionError, MissingObjectError
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import Column, Consistency, ExtractionRequest, Fingerprint, Partition, TableName, TableSchema
from jivsbench_files import declarations
from jivsbench_files.address import FilesAddress
from jivsbench_files.confinement import FileVersion, Root, check_unchanged, read_version
from jivsbench_files.filters import check_filters, keep_rows
from jivsbench_files.formats import FORMATS
from jivsbench_files.limits import refuse_excess
from jivsbench_files.listing import Listing
from jivsbench_files.streams import Unpacked, WatchedFile
from jivsbench_files.tables import OpenedFile, Portion, TableFindings, divide, format_portions, parse_portions

_KEPT_FINDINGS: Final = 32
_VIEW: Final = "file-versions"
"""What sessions share is not a view but the versions of files, which every partition carries with it."""


class FilesConnection:
    """A session with one folder. Each table is looked through once for each version of its files."""

    def __init__(self, root: Root, address: FilesAddress, source: DataSource, limits: ReadLimits) -> None:
        self._root = root
        self._address = address
        self._source = source
        self._limits = limits
        self._listing = Listing(root, FORMATS, address.limits)
        self._versions: dict[str, FileVersion] = {}
        self._members: dict[str, tuple[str, ...]] = {}
        self._findings: OrderedDict[object, TableFindings] = OrderedDict()
        self._deadline_s = float("inf")
        self._was_cancelled = threading.Event()
        self._readers: set[object] = set()

    def test(self) -> ServerFacts:
        """Say which folder this is. `may_write` tells whether this process could write into it."""
        with self._root.folder(""):
            may_write = os.access(self._root.path, os.W_OK)
        return ServerFacts("files", f"Arrow {pa.__version__}", f"uid {os.geteuid()}", str(self._root.path), may_write=may_write)

    def is_alive(self) -> bool:
        """Tell whether the folder is still the one that was opened."""
        return self._root.is_alive

    def tables(self) -> tuple[TableName, ...]:
        """Every file below the folder that can be read, by its relative name."""
        return tuple(TableName(name) for name in self._listing.tables())

    def begin(self, snapshot: str | None = None) -> str | None:
        """Note versions of files from now on. Other sessions may join: a partition carries the versions it is of."""
        if snapshot not in (None, _VIEW):
            raise ExtractionError("a files session cannot join the view of another kind of source: read with one stream")
        self._versions.clear()
        self._members.clear()
        return _VIEW

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """Columns that the request yields, found in the whole of every file. Raises MissingObjectError with the nearest name."""
        known = self._columns(request)
        for name in (*request.columns, *(condition.column for condition in request.filters)):
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(list(known)[:20])}"
                raise MissingObjectError(f"table {str(request.table)!r} has no column {name!r}: {hint}")
        chosen = tuple(known[name] for name in request.columns or known)
        for column in chosen:
            if pa.types.is_nested(column.arrow_type):
                raise ExtractionError(
                    f"table {str(request.table)!r}: column {column.name!r} is nested ({column.server_type}): "
                    "name the other columns"
                )
        check_filters(request.filters, known)
        return TableSchema(chosen)

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:
        """Files, row groups and byte ranges between records, in runs of about equal rows."""
        self._check_columns(request, schema)
        portions = self._find(request).portions
        groups = (portions,) if request.row_limit is not None else divide(portions, streams)
        return tuple(Partition(index, request, schema, format_portions(group)) for index, group in enumerate(groups))

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """Stream a partition. Raises ExtractionError when a file is changed meanwhile."""
        request = partition.request
        known = self._columns_of(partition)
        left = request.row_limit
        schema = partition.schema.to_arrow()
        with self._watched():
            for portion in self._portions(partition):
                for batch in self._read_portion(portion, partition, known):
                    kept = batch if left is None else batch.slice(0, left)
                    if kept.num_rows:
                        yield pa.RecordBatch.from_arrays([kept.column(name) for name in schema.names], schema=schema)
                    left = None if left is None else left - kept.num_rows
                    if left == 0:
                        return

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """Rows by the footer, the counter of records or the lines; None under a filter, and where only reading could count."""
        request = partition.request
        counts = [portion.row_count for portion in self._portions(partition)]
        known = [count for count in counts if count is not None]
        if request.filters or len(known) != len(counts):
            return Fingerprint(None)
        return Fingerprint(sum(known) if request.row_limit is None else min(sum(known), request.row_limit))

    def consistency(self, request: ExtractionRequest) -> Consistency:
        """Look at each file once more. Raises ExtractionError when one was changed, came or went since the reading began."""
        table = str(request.table)
        now, then = set(self._files(request)), set(self._members.get(table, ()))
        for happened, names in (("came", now - then), ("went", then - now)):
            if names and then:
                raise ExtractionError(
                    f"{min(names)!r} {happened} while table {table!r} was read: start again when nobody writes to it"
                )
        for name in self._versions:
            self._look(name)
        return Consistency.UNCHANGED

    def cancel(self) -> None:
        """End the running read at its next block, from any thread. Does nothing when there is none."""
        if self._readers:
            self._was_cancelled.set()

    def reset(self) -> None:
        """Forget the versions of files and a cancel. What files contain is kept for as long as they are of that version."""
        self._versions.clear()
        self._members.clear()
        self._was_cancelled.clear()
        self._readers.clear()
        self._deadline_s = float("inf")

    def close(self) -> None:
        """Let the folder go; may be called twice."""
        self._root.close()

    def _watch(self) -> None:
        if self._was_cancelled.is_set():
            raise CancelledJobError(f"{self._root.path} was not read to its end: the reading was cancelled on request")
        if time.monotonic() > self._deadline_s:
            raise DeadlineError(
                f"{self._root.path} was not read to its end: it took longer than query_timeout_s; raise it or ask for less"
            )

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        reader = object()
        self._deadline_s = time.monotonic() + self._limits.query_timeout_s
        self._readers.add(reader)
        try:
            yield
        finally:
            # After a reset it is forgotten already, and another reader may be at work.
            self._readers.discard(reader)
            if not self._readers:
                self._deadline_s = float("inf")

    def _read_portion(self, portion: Portion, partition: Partition, known: dict[str, Column]) -> Iterator[pa.RecordBatch]:
        filters = partition.request.filters
        wanted = {column.name: column for column in partition.schema.columns}
        columns = {**{condition.column: known[condition.column] for condition in filters}, **wanted}
        kind, _ = self._listing.find_format(portion.file)
        with self._open(portion.file, portion.version, str(partition.request.table)) as opened:
            for batch in kind.read(opened, portion, tuple(columns.values())):
                self._watch()
                yield keep_rows(batch, filters, columns)

    def _portions(self, partition: Partition) -> tuple[Portion, ...]:
        return parse_portions(partition.predicate) if partition.predicate else self._find(partition.request).portions

    def _columns_of(self, partition: Partition) -> dict[str, Column]:
        """By name. A partition with portions was checked when it was made: not each stream looks through its files again."""
        request = partition.request
        chosen = {column.name: column for column in partition.schema.columns}
        if partition.predicate and all(condition.column in chosen for condition in request.filters):
            return chosen
        self._check_columns(request, partition.schema)
        return self._columns(request)

    def _check_columns(self, request: ExtractionRequest, schema: TableSchema) -> None:
        """The schema is still that of the files: their types are those of their values, so other values are other columns."""
        known = self._columns(request)
        if tuple(known.get(name) for name in request.columns or known) != schema.columns:
            raise ExtractionError(f"table {str(request.table)!r} has other columns than when its schema was read: start again")

    def _columns(self, request: ExtractionRequest) -> dict[str, Column]:
        return {column.name: column for column in self._find(request).columns}

    def _files(self, request: ExtractionRequest) -> tuple[str, ...]:
        if request.table is None:
            raise ExtractionError("a folder of files knows no SQL: extract a table, with columns and filters")
        if request.table.namespace == "":
            raise MissingObjectError(f"no table is called '.{request.table.name}': hidden files are no tables")
        return self._listing.files(str(request.table))

    def _find(self, request: ExtractionRequest) -> TableFindings:
        """What the survey of the table's files in their present versions has found."""
        table = str(request.table)
        files = self._files(request)
        self._members.setdefault(table, files)
        key = (table, *((name, self._look(name)) for name in (*files, *self._declaration_names(table))))
        if key not in self._findings:
            with self._watched():
                self._findings[key] = self._survey(table, files)
        self._findings.move_to_end(key)
        while len(self._findings) > _KEPT_FINDINGS:
            self._findings.popitem(last=False)
        return self._findings[key]

    def _survey(self, table: str, files: tuple[str, ...]) -> TableFindings:
        kind, _ = self._listing.find_format(files[0])
        survey = kind.survey()
        portions: list[Portion] = []
        for name in files:
            with self._open(name, table=table) as opened:
                portions += survey.take(opened)
        return TableFindings(survey.columns(), tuple(portions))

    def _declaration_names(self, table: str) -> tuple[str, ...]:
        name = table + declarations.SUFFIX
        return (name,) if self._root.kind_of(name) == "file" else ()

    def _look(self, name: str) -> FileVersion:
        """The version of a file, which from now on must not change until `reset`."""
        with self._open(name) as opened:
            return opened.version

    def _declared(self, table: str) -> dict[str, pa.DataType]:
        for name in self._declaration_names(table):
            with self._open(name) as opened:
                text = opened.raw.read(declarations.MAX_BYTES + 1) or b""
                if len(text) > declarations.MAX_BYTES:
                    raise refuse_excess(
                        repr(name), "its size in bytes", declarations.MAX_BYTES, f"it has more than {len(text) - 1:,} bytes"
                    )
                return declarations.parse_declarations(text, name)
        return {}

    @contextlib.contextmanager
    def _open(self, name: str, expected: FileVersion | None = None, table: str | None = None) -> Iterator[OpenedFile]:
        """A file, the same before and after. `table` names the one whose declarations it is read with."""
        declared = self._declared(table) if table else {}
        raw = WatchedFile(self._root.open_file(name), self._watch)
        try:
            version = read_version(raw.fileno())
            check_unchanged(self._versions.setdefault(name, expected or version), version, name)
            yield self._build_opened(name, version, raw, declared)
            check_unchanged(version, read_version(raw.fileno()), name)
        finally:
            raw.close()

    def _build_opened(self, name: str, version: FileVersion, raw: WatchedFile, declared: dict[str, pa.DataType]) -> OpenedFile:
        lower = name.lower()
        codec = "" if lower.endswith(declarations.SUFFIX) else self._listing.find_format(name)[1]
        return OpenedFile(
            name=name,
            version=version,
            raw=raw,
            content=Unpacked(raw, codec, name, self._address.limits) if codec else raw,
            is_compressed=bool(codec),
            options=self._address.options,
            limits=self._address.limits,
            policy=self._source.type_policy,
            declared=declared,
            watch=self._watch,
        )
