"""A folder of files, and sessions with it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from jivsbench.api import ReadLimits
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.model.table import ExtractionRequest, Filter, parse_table_name
from jivsbench_files.connection import FilesConnection
from jivsbench_files.connector import FilesConnector

Opener = Callable[..., FilesConnection]
Reader = Callable[..., pa.Table]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of the source; beside it lies what must never be read."""
    folder = tmp_path / "root"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("a\ntop secret\n")
    return folder


@pytest.fixture
def open_session(root: Path) -> Iterator[Opener]:
    """Opens a session; options are those of the URL."""
    opened: list[FilesConnection] = []

    def open_one(policy: TypePolicy = TypePolicy.ERROR, limits: ReadLimits | None = None, **options: object) -> FilesConnection:
        query = "&".join(f"{name}={value}" for name, value in options.items())
        source = DataSource("test", "files", Secret(f"files://{root}" + (f"?{query}" if query else "")), policy)
        opened.append(FilesConnector().connect(source, limits or ReadLimits()))
        opened[-1].begin()
        return opened[-1]

    yield open_one
    for session in opened:
        session.close()


@pytest.fixture
def read(open_session: Opener) -> Reader:
    """Reads a table by all steps of an extraction, in `streams` partitions, and checks the count where there is one."""

    def read_one(
        name: str,
        *filters: Filter,
        policy: TypePolicy = TypePolicy.ERROR,
        streams: int = 1,
        columns: tuple[str, ...] = (),
        **options,
    ) -> pa.Table:
        session = open_session(policy, **options)
        request = ExtractionRequest("test", parse_table_name(name), columns=columns, filters=filters)
        schema = session.schema(request)
        tables = []
        for part in session.partitions(request, schema, streams):
            tables.append(pa.Table.from_batches(session.read(part), schema.to_arrow()))
            assert session.fingerprint(part).row_count in (None, tables[-1].num_rows)
        session.consistency(request)
        return pa.concat_tables(tables)

    return read_one
