"""Data sources that a mix needs beside the database: files and a REST API with the same seeded rows, made for one run.

They are named for what they are: files on the disk of this machine, and a small server of jivsbench's own beside the target.
A figure that they take part in says how the connectors and the core do, not how somebody else's API does.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pyarrow as pa
import pyarrow.csv as pa_csv

from jivsbench.api import Response
from jivsbench.app.targets import Target
from jivsbench.checks.context import HttpTarget
from jivsbench.config.workloads import list_derived_kinds
from jivsbench.dataset import CHUNK_ROWS, SCHEMA, Dataset
from jivsbench.errors import EnvironmentProblem
from jivsbench.load.mixed import derived_table
from jivsbench.model.scenario import OfferedSource, SourceKind, WorkloadSpec
from jivsbench.model.secret import Secret
from jivsbench.private_folders import make_private_folder

_NAMES: Final = {SourceKind.FILES: "mix-files", SourceKind.REST: "mix-rest"}
_CONNECTORS: Final = {SourceKind.FILES: "files", SourceKind.REST: "rest"}


@dataclass(frozen=True, slots=True)
class DerivedSource:
    """A source that was made, and the URL that a target reads it by."""

    offered: OfferedSource
    url: Secret


def describe_sources(workload: WorkloadSpec) -> tuple[OfferedSource, ...]:
    """What will be made for a mix, in words, before anything starts."""
    return tuple(
        OfferedSource(kind, _NAMES[kind], _label(kind, _list_sizes(workload, kind))) for kind in list_derived_kinds(workload)
    )


@contextmanager
def make_sources(workload: WorkloadSpec, folder: Path, log: Path) -> Iterator[tuple[DerivedSource, ...]]:
    """Write the files into `folder` and start the REST API; both are gone at the end of the block."""
    from jivsbench.embedded.paged_api import start_paged_api

    made = []
    with ExitStack() as stack:
        for offered in describe_sources(workload):
            sizes = _list_sizes(workload, offered.kind)
            if offered.kind is SourceKind.FILES:
                url = Secret(f"files://{quote(str(_write_files(sizes, folder)))}")
            else:
                url = stack.enter_context(start_paged_api(_dataset(sizes), sizes, log))
            made.append(DerivedSource(offered, url))
        yield tuple(made)


def create_on(target: Target, sources: Sequence[DerivedSource]) -> None:
    """Create the sources on a target through its API, as an administrator does, and test each. Raises EnvironmentProblem."""
    with closing(HttpTarget(target.service.base_url, Secret(target.service.admin_token))) as api:
        for source in sources:
            name = source.offered.name
            body = {"name": name, "connector": _CONNECTORS[source.offered.kind], "url": source.url.reveal()}
            _require(api.call("POST", "/data-sources", body), HTTPStatus.CREATED, name)
            _require(api.call("POST", f"/data-sources/{name}/test"), HTTPStatus.OK, name)


def _require(answer: Response, expected: HTTPStatus, name: str) -> None:
    if answer.status != expected:
        slug = answer.body.get("slug", "no reason given") if isinstance(answer.body, dict) else "no reason given"
        raise EnvironmentProblem(
            f"data source {name!r} of the mix was to be created on the target, which answered {answer.status} "
            f"({slug}): see its log, and `jivsbench plugins` for the connectors files and rest"
        )


def _list_sizes(workload: WorkloadSpec, kind: SourceKind) -> tuple[int, ...]:
    return tuple(sorted({entry.rows for entry in workload.mix if entry.source is kind}))


def _dataset(sizes: Sequence[int]) -> Dataset:
    """Whole chunks, so that the first rows are those of a larger table of the same seed."""
    return Dataset(-(-max(sizes) // CHUNK_ROWS) * CHUNK_ROWS)


def _label(kind: SourceKind, sizes: Sequence[int]) -> str:
    tables = " and ".join(f"{size:,}" for size in sizes)
    if kind is SourceKind.FILES:
        return f"CSV files of {tables} seeded rows that jivsbench wrote on the target's own disk"
    return f"a paged JSON API of jivsbench itself on the target's machine, serving {tables} seeded rows in pages of 1,000"


def _write_files(sizes: Sequence[int], folder: Path) -> Path:
    root = folder / "mix-files"
    make_private_folder(root, may_exist=False)
    for size in sizes:
        with pa_csv.CSVWriter(root / derived_table(SourceKind.FILES, size), SCHEMA) as writer:
            for batch in _first_rows(size, _dataset(sizes)):
                writer.write_batch(batch)
    return root


def _first_rows(rows: int, dataset: Dataset) -> Iterator[pa.RecordBatch]:
    for number, batch in enumerate(islice(dataset.batches(), -(-rows // CHUNK_ROWS))):
        yield batch.slice(0, rows - number * CHUNK_ROWS)
