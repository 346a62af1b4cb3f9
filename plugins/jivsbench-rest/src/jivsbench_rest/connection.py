"""One session with an API. It keeps no view, and says of each resource what it can tell of its state."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

from jivsbench.api import ReadLimits
from jivsbench.errors import ExtractionError, MissingObjectError, SourceUnreachableError
from jivsbench.model.filtering import apply_filters
from jivsbench.model.source import DataSource, ServerFacts
from jivsbench.model.table import (
    Column,
    Consistency,
    ExtractionRequest,
    Fingerprint,
    Partition,
    TableName,
    TableSchema,
    parse_table_name,
)
from jivsbench_rest.address import Address
from jivsbench_rest.batches import build_batches
from jivsbench_rest.columns import DeclaredColumn, Inference, build_column
from jivsbench_rest.documents import parse_document, read_records
from jivsbench_rest.exchange import Exchange
from jivsbench_rest.paging import Pager, Survey
from jivsbench_rest.spool import Spool


@dataclass(frozen=True, slots=True)
class _Inferred:
    """A resource that was read once to learn its types."""

    table: TableName
    columns: tuple[DeclaredColumn, ...]
    spool: Spool
    survey: Survey


class RestConnection:
    """Reads resources page by page; one partition, one request at a time."""

    def __init__(self, exchange: Exchange, address: Address, source: DataSource, limits: ReadLimits) -> None:
        self._exchange = exchange
        self._address = address
        self._source = source
        self._limits = limits
        self._inferred: _Inferred | None = None
        self._surveys: dict[TableName, Survey] = {}
        self._askers: set[object] = set()
        self._is_closed = False

    def test(self) -> ServerFacts:
        """Reach the host. HTTP has no question by which a server would say who it is; its Server header is all there is."""
        self._check_open()
        if self._address.options.resources:
            self._first(parse_table_name(self._address.options.resources[0]))
        else:
            self._exchange.open()
        product = f"HTTP API ({self._exchange.server or 'it does not name its server'})"
        return ServerFacts(product, "HTTP/1.1", self._address.user, self._address.path, may_write=None)

    def is_alive(self) -> bool:
        """True until it is closed: every request can open a connection of its own."""
        return not self._is_closed

    def tables(self) -> tuple[TableName, ...]:
        """The resources that the URL lists."""
        return tuple(parse_table_name(name) for name in self._address.options.resources)

    def begin(self, snapshot: str | None = None) -> str | None:
        """Forget what was learnt of resources. There is no view: returns None."""
        self._check_open()
        if snapshot is not None:
            raise ExtractionError("an HTTP API has no views that a session could join: read with one stream")
        self._forget()
        return None

    def schema(self, request: ExtractionRequest) -> TableSchema:
        """Columns as the URL declares them, else by a look at every record. Raises MissingObjectError."""
        known = {column.name: build_column(column, self._source.type_policy) for column in self._declared(request)}
        for name in (*request.columns, *(condition.column for condition in request.filters)):
            if name not in known:
                raise MissingObjectError(f"resource {str(request.table)!r} has no column {name!r}: {_suggest(name, known)}")
        if request.table is not None and self._address.options.columns:
            # Nothing was asked yet, and whether there is such a resource only the API can say.
            self._first(request.table)
        if not known:
            raise ExtractionError(f"resource {str(request.table)!r} has no records to tell its columns by: declare `columns`")
        return TableSchema(tuple(known[name] for name in request.columns or known))

    def schema_version(self, request: ExtractionRequest) -> str | None:  # noqa: ARG002 - they are the same for every resource
        """The columns that the URL declares; None where they are found in the records, which have no version."""
        declared = self._address.options.columns
        return repr(declared) if declared else None

    def partitions(self, request: ExtractionRequest, schema: TableSchema, streams: int) -> tuple[Partition, ...]:  # noqa: ARG002
        """One part: pages follow one another."""
        return (Partition(0, request, schema),)

    def read(self, partition: Partition) -> Iterator[pa.RecordBatch]:
        """Stream the resource; filters and limit are applied here, after the records came."""
        request, left = partition.request, partition.request.row_limit
        names = [column.name for column in partition.schema.columns]
        schema = self._widen(partition)
        with self._asking():
            pages = self._pages(request)
            batches = build_batches(
                pages,
                schema,
                self._limits.batch_rows,
                resource=str(request.table),
                policy=self._source.type_policy,
                options=self._address.options,
                is_every_key=not (request.columns or self._address.options.columns),
            )
            for batch in batches:
                rows = apply_filters(batch, request.filters).select(names).slice(0, left)
                if rows.num_rows:
                    yield rows
                if left is not None and (left := left - rows.num_rows) <= 0:
                    return

    def fingerprint(self, partition: Partition) -> Fingerprint:
        """The total that the API states, if the request is for all of it; else nobody counts."""
        request = partition.request
        if request.table is None or request.filters or not self._address.options.total:
            return Fingerprint(None)
        survey = self._surveys.get(request.table) or self._first(request.table)
        total = survey.total
        return Fingerprint(total if total is None or request.row_limit is None else min(total, request.row_limit))

    def consistency(self, request: ExtractionRequest) -> Consistency:
        """Unchanged, when something that stands for the whole resource is after the last page what it was before the first."""
        survey = self._surveys.get(request.table) if request.table is not None else None
        if survey is None or request.table is None:
            return Consistency.NONE
        stands_for_all = survey.version is not None or (survey.etag is not None and survey.pages == 1)
        if not stands_for_all and survey.total is None:
            return Consistency.NONE
        now = self._first(request.table)
        if (now.total, now.version) != (survey.total, survey.version) or (survey.pages == 1 and now.etag != survey.etag):
            raise ExtractionError(f"resource {str(request.table)!r} changed while it was read: start the extraction again")
        # A total that stayed says nothing of rows that were replaced meanwhile.
        return Consistency.UNCHANGED if stands_for_all else Consistency.NONE

    def cancel(self) -> None:
        """End the request under way. Does nothing when there is none."""
        if self._askers:
            self._exchange.cancel()

    def reset(self) -> None:
        """Forget what was learnt, and let a connection go on which an answer may still be under way."""
        self._check_open()
        self._forget()
        self._exchange.close()
        self._askers.clear()
        self._exchange.forget_cancel()

    def close(self) -> None:
        """End the session; may be called twice."""
        self._is_closed = True
        self._forget()
        self._exchange.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise SourceUnreachableError(f"{self._address.place} was asked on a closed session: open another")

    def _forget(self) -> None:
        if self._inferred is not None:
            self._inferred.spool.close()
        self._inferred = None
        self._surveys.clear()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """While the API is asked, a cancel is heard."""
        asker = object()
        self._exchange.forget_cancel()
        self._askers.add(asker)
        try:
            yield
        finally:
            # After a reset it is forgotten already, and another may be asking.
            self._askers.discard(asker)

    def _first(self, table: TableName) -> Survey:
        with self._asking():
            return self._pager(table).first()

    def _pager(self, table: TableName) -> Pager:
        return Pager(self._exchange, self._address, table, self._limits.query_timeout_s)

    def _widen(self, partition: Partition) -> TableSchema:
        """The partition's columns, and those that only its filters need."""
        columns = {column.name: column for column in partition.schema.columns}
        wanted = [condition.column for condition in partition.request.filters if condition.column not in columns]
        if not wanted:
            return partition.schema
        declared = {column.name: column for column in self._declared(partition.request)}
        return TableSchema((*columns.values(), *(self._find(declared, name) for name in dict.fromkeys(wanted))))

    def _find(self, declared: dict[str, DeclaredColumn], name: str) -> Column:
        if name not in declared:
            raise MissingObjectError(f"the resource has no column {name!r} any more: start the extraction again")
        return build_column(declared[name], self._source.type_policy)

    def _declared(self, request: ExtractionRequest) -> tuple[DeclaredColumn, ...]:
        table, options = request.table, self._address.options
        if table is None:
            raise ExtractionError("an HTTP API knows no SQL: ask for a resource by its name")
        if options.resources and str(table) not in options.resources:
            hint = _suggest(str(table), options.resources)
            raise MissingObjectError(f"the source's URL lists no resource {str(table)!r}: {hint}")
        if options.columns:
            return options.columns
        return self._infer(table).columns

    def _infer(self, table: TableName) -> _Inferred:
        if self._inferred is not None and self._inferred.table == table:
            return self._inferred
        self._forget()
        spool, survey, inference = Spool(), Survey(), Inference(str(table), self._source.type_policy)
        try:
            with self._asking():
                for page in self._pager(table).pages(survey):
                    inference.add(page.records)
                    spool.append(page.answer.body)
        except BaseException:
            spool.close()
            raise
        self._inferred = _Inferred(table, inference.columns(), spool, survey)
        return self._inferred

    def _pages(self, request: ExtractionRequest) -> Iterator[list[dict[str, Any]]]:
        table, options = request.table, self._address.options
        assert table is not None  # a request without one got no schema
        inferred = self._inferred
        if inferred is not None and inferred.table == table:
            self._surveys[table] = inferred.survey
            for body in inferred.spool.bodies():
                yield read_records(parse_document(body), options.records, str(table))
                if self._inferred is not inferred:
                    raise ExtractionError(f"resource {str(table)!r} was not read to its end: its session went to another reader")
                self._exchange.raise_if_cancelled(f"resource {str(table)!r}")
            return
        survey = self._surveys[table] = Survey()
        for page in self._pager(table).pages(survey):
            yield page.records


def _suggest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names[:20]) or 'none'}"
