"""The files and the REST API that a mix reads hold the seeded rows, and nobody else may ask for them."""

from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
import urllib3

from jivsbench.api import ReadLimits
from jivsbench.app.derived_sources import describe_sources, make_sources
from jivsbench.dataset import SCHEMA, Dataset
from jivsbench.load.mixed import derived_table
from jivsbench.model.scenario import MixAction, MixEntry, SourceKind, WorkloadSpec
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, parse_table_name
from jivsbench.plugins import load_registry

SIZES = (1_000, 2_500)
KINDS = (SourceKind.FILES, SourceKind.REST)
WORKLOAD = WorkloadSpec(
    "mixed", "bench_rows", 2_500, mix=tuple(MixEntry(MixAction.EXTRACTION, 1, kind, size) for kind in KINDS for size in SIZES)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    """Both sources, running."""
    folder = tmp_path_factory.mktemp("derived")
    with make_sources(WORKLOAD, folder, folder / "sources.log") as sources:
        yield {source.offered.kind: source for source in sources}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_their_tables_are_the_first_rows_of_the_data_set(made, kind: SourceKind, size: int) -> None:
    """Every value, read through the connector that the target uses, is the one that a larger table of the same seed has."""
    source = DataSource("mix", kind.value, made[kind].url)
    with closing(load_registry().connector(kind.value).connect(source, ReadLimits())) as connection:
        connection.begin()
        request = ExtractionRequest(source="mix", table=parse_table_name(derived_table(kind, size)))
        schema = connection.schema(request)
        batches = [batch for part in connection.partitions(request, schema, 1) for batch in connection.read(part)]

    rows = pa.Table.from_batches(batches, schema.to_arrow())

    expected = pa.Table.from_batches(list(Dataset(10_000).batches())).slice(0, size)
    for name in SCHEMA.names:
        wanted = expected.column(name)
        assert rows.column(name).cast(wanted.type).to_pylist() == wanted.to_pylist(), name


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/v1/rows_1000", "wrong", 401),
        ("/v1/rows_7", None, 404),
        ("/v1/rows_1000?offset=-1", None, 400),
        ("/v1/rows_1000?limit=x", None, 400),
        ("/v1/rows_1000?offset=999&limit=10", None, 200),
        ("/v1/rows_1000?offset=5000", None, 200),
    ],
)
def test_the_api_answers_only_what_it_has_and_whom_it_knows(made, path: str, token: str | None, status: int) -> None:
    """A wrong token, an unknown table and odd pages are refused; a page beyond the end is empty."""
    url = urlsplit(made[SourceKind.REST].url.reveal())
    headers = {"Authorization": f"Bearer {token or url.password}"}

    answer = urllib3.request("GET", f"http://127.0.0.1:{url.port}{path}", headers=headers, timeout=10)

    assert answer.status == status
    if status == 200:
        assert answer.json()["total"] == 1_000
        assert len(answer.json()["records"]) == (1 if "999" in path else 0)


def test_reports_say_what_they_really_are() -> None:
    """Made by jivsbench, on this machine, from seeded rows: in the plan, before anything starts."""
    files, rest = describe_sources(WORKLOAD)

    assert files.label == "CSV files of 1,000 and 2,500 seeded rows that jivsbench wrote on the target's own disk"
    assert rest.label.startswith("a paged JSON API of jivsbench itself on the target's machine")


def test_both_are_gone_afterwards(tmp_path: Path) -> None:
    """The API's process ends with its block."""
    with make_sources(WORKLOAD, tmp_path, tmp_path / "log") as sources:
        port = urlsplit(sources[1].url.reveal()).port

    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.request("GET", f"http://127.0.0.1:{port}/v1/rows_1000", timeout=2, retries=False)
