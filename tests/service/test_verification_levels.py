"""Which damage each level of verification finds, with damage planted between the server and the finished file."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.api import ReadLimits
from jivsbench.errors import ExtractionError, UsageError, VerificationError
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.manifest import parse_manifest
from jivsbench.model.output import OutputFormat
from jivsbench.model.profile import LEGACY, OPTIMIZED, Profile, Verification
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, Fingerprint, Partition, TableName
from jivsbench.model.transform import Rename
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.connector import PostgresConnector

ROWS = 60_000
TABLE = TableName("verified_rows")
WHOLE = ExtractionRequest("shop", TABLE)
COUNT, COLUMNS, BY_ROWS = Verification
DAMAGED = 1
"""The partition that the planted damage is in."""

Damage = Callable[[pa.RecordBatch], pa.RecordBatch]
FileDamage = Callable[[Path], None]


@pytest.fixture(scope="module")
def source(embedded_postgres_url: str) -> Iterator[DataSource]:
    """A table of 60,000 rows, enough for two partitions."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as admin:
        admin.execute("DROP TABLE IF EXISTS verified_rows")
        admin.execute(
            f"""
            CREATE TABLE verified_rows AS
            SELECT g AS id, 'name-' || lpad(g::text, 6, '0') AS name, (g % 7)::numeric(9,2) AS amount, g / 3.0::float8 AS rate,
                   CASE WHEN g % 5 > 0 THEN '2020-01-01Z'::timestamptz + g * interval '1.5 s' END AS at
              FROM generate_series(1, {ROWS}) AS g
            """
        )
        admin.execute("ANALYZE verified_rows")
        yield DataSource("shop", "postgres", Secret(embedded_postgres_url))
        admin.execute("DROP TABLE verified_rows")


@pytest.fixture
def extract(source: DataSource, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Extracts the table as one job and returns its rows."""
    built: list[Extractor] = []

    def run(level: Verification, connector: object = None, request: ExtractionRequest = WHOLE, base: Profile = OPTIMIZED) -> int:
        profile = replace(base, verification=level, pool=replace(base.pool, min_idle=0))
        connectors = {"postgres": connector or PostgresConnector()}
        built.append(Extractor(connectors=connectors, guards=(), profile=profile, output_dir=tmp_path))  # type: ignore[arg-type]
        return built[-1].extract(level.value, source, request).rows_written

    yield run
    for extractor in built:
        extractor.close(0.5)


class _Damaging(PostgresConnector):
    """Planted: the first batch of one partition is changed, or its file after it was closed."""

    def __init__(self, folder: Path, damage: Damage | None, file_damage: FileDamage | None = None) -> None:
        self._folder = folder
        self._damage = damage
        self._file_damage = file_damage

    def connect(self, source: DataSource, limits: ReadLimits) -> PostgresConnection:
        connection = super().connect(source, limits)
        read, fingerprint = connection.read, connection.fingerprint

        def read_damaged(partition: Partition) -> Iterator[pa.RecordBatch]:
            batches = read(partition)
            first = next(batches)
            yield self._damage(first) if self._damage and partition.index == DAMAGED else first
            yield from batches

        def damage_file(partition: Partition) -> Fingerprint:
            if self._file_damage and partition.index == DAMAGED:
                (path,) = self._folder.glob(f"*/part-{DAMAGED:05}.parquet.*")
                self._file_damage(path)
            return fingerprint(partition)

        connection.read = read_damaged  # type: ignore[method-assign]
        connection.fingerprint = damage_file  # type: ignore[method-assign]
        return connection


def drop_one(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A row is lost."""
    return batch.slice(1)


def double_one(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A row comes twice."""
    return pa.concat_batches([batch.slice(0, 1), batch])


def put_one_for_another(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A row comes twice and another is lost."""
    return pa.concat_batches([batch.slice(0, 1), batch.slice(0, 1), batch.slice(2)])


def change(name: str, to: Callable[[list[object]], list[object]]) -> Damage:
    """Damage to the first two values of a column."""

    def damage(batch: pa.RecordBatch) -> pa.RecordBatch:
        values = batch.column(name)
        changed = pa.array(to(values[:2].to_pylist()), values.type)
        assert not changed.equals(values[:2])
        index = batch.schema.names.index(name)
        return batch.set_column(index, batch.schema.field(index), pa.concat_arrays([changed, values[2:]]))

    return damage


def swap(values: list[object]) -> list[object]:
    """Two rows exchange their values."""
    return values[::-1]


def flip_byte(path: Path) -> None:
    """One bit of a page, which has a checksum."""
    _flip(path, path.read_bytes().index(b"PAR1") + 200)


def flip_byte_without_checksums(path: Path) -> None:
    """One bit of a letter in plain pages without checksums: `name-` becomes `namd-`."""
    pq.write_table(pq.read_table(path), path, compression="none", use_dictionary=False, write_statistics=False)
    _flip(path, path.read_bytes().index(b"name-") + 3)


def _flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


CASES = {
    "dropped row": (drop_one, {COUNT, COLUMNS, BY_ROWS}),
    "doubled row": (double_one, {COUNT, COLUMNS, BY_ROWS}),
    "row for another": (put_one_for_another, {COLUMNS, BY_ROWS}),
    "value plus one": (change("id", lambda ids: [ids[0] + 1, ids[1]]), {COLUMNS, BY_ROWS}),  # type: ignore[operator]
    "swapped numbers": (change("amount", swap), {BY_ROWS}),
    "swapped names": (change("name", swap), {BY_ROWS}),
    "swapped letters": (change("name", lambda names: ["anme" + str(names[0])[4:], names[1]]), {BY_ROWS}),
    "last bit of a float": (change("rate", lambda rates: [rates[0] * (1 + 2**-52), rates[1]]), {BY_ROWS}),  # type: ignore[operator]
}


@pytest.mark.parametrize("level", Verification)
@pytest.mark.parametrize("case", CASES)
def test_each_level_finds_what_it_says(extract, tmp_path: Path, case: str, level: Verification) -> None:
    """Found: the partition is named, no value is, no output stays. Not found: the output is complete, as far as is known."""
    damage, finders = CASES[case]
    connector = _Damaging(tmp_path, damage)

    if level not in finders:
        assert extract(level, connector) == ROWS
        return
    with pytest.raises(VerificationError, match=f"partition {DAMAGED} of verified_rows") as failure:
        extract(level, connector)
    assert "name" not in str(failure.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [flip_byte, flip_byte_without_checksums])
def test_a_byte_that_flips_on_the_disk_is_found_by_rows(extract, tmp_path: Path, damage: FileDamage) -> None:
    """By its page's checksum, or where there is none by the row's fingerprint; counting reads no page."""
    connector = _Damaging(tmp_path, None, damage)

    assert extract(COUNT, connector) == ROWS
    with pytest.raises(VerificationError, match=f"partition {DAMAGED} of verified_rows"):
        extract(BY_ROWS, connector)


def test_a_byte_without_a_checksum_is_not_found_by_columns(extract, tmp_path: Path) -> None:
    """A letter for a letter changes no figure."""
    assert extract(COLUMNS, _Damaging(tmp_path, None, flip_byte_without_checksums)) == ROWS


@pytest.mark.parametrize("profile", [LEGACY, OPTIMIZED], ids=["legacy", "optimized"])
def test_rows_are_verified_by_every_profile(extract, tmp_path: Path, profile: Profile) -> None:
    """What arrived whole passes, row by row or in batches, and the manifest says how far it was compared."""
    assert extract(BY_ROWS, base=profile) == ROWS
    assert parse_manifest((tmp_path / "rows" / "manifest.json").read_bytes()).verification == "rows"


def test_a_limit_is_not_verified_by_rows(extract) -> None:
    """The server may choose other rows each time."""
    with pytest.raises(UsageError, match="verify by count"):
        extract(BY_ROWS, request=replace(WHOLE, row_limit=10))


def test_transformed_rows_are_not_verified_by_rows(extract) -> None:
    """None of them is the source's; it is said before anything is read."""
    with pytest.raises(UsageError, match="verify by columns"):
        extract(BY_ROWS, request=replace(WHOLE, transforms=(Rename("name", "title"),)))


@pytest.mark.parametrize("output_format", [OutputFormat.PARQUET, OutputFormat.ARROW])
def test_rows_are_verified_in_every_format_that_keeps_types(extract, output_format: OutputFormat) -> None:
    """The files are read back in their own format."""
    assert extract(BY_ROWS, request=replace(WHOLE, format=output_format)) == ROWS


def test_a_format_without_types_is_not_verified_by_rows(extract) -> None:
    """There are no values to read back."""
    with pytest.raises(UsageError, match="verification by rows reads the files back"):
        extract(BY_ROWS, request=replace(WHOLE, format=OutputFormat.CSV))


@pytest.mark.parametrize("level", [COLUMNS, BY_ROWS])
def test_a_query_that_changes_between_two_readings_is_told_so(extract, level: Verification) -> None:
    """random() is another number each time: the message says that this may be why."""
    request = ExtractionRequest("shop", query="SELECT (random() * 1e9)::int AS number FROM generate_series(1, 100)")

    with pytest.raises(VerificationError, match=r"partition 0 of the query: .*random\(\), clock_timestamp\(\)"):
        extract(level, request=request)


@pytest.mark.parametrize("level", [COLUMNS, BY_ROWS])
def test_a_query_that_asks_for_the_time_of_its_transaction_passes(extract, level: Verification) -> None:
    """now() stays the same for both readings, since they are of one transaction."""
    assert extract(level, request=ExtractionRequest("shop", query="SELECT now() AS at, g FROM generate_series(1, 9) AS g")) == 9


def test_rows_find_what_python_objects_make_of_an_array(extract) -> None:
    """Row by row an array becomes a list and then JSON; in batches it stays the server's text."""
    request = ExtractionRequest("shop", query="SELECT ARRAY[1, NULL] AS numbers")

    with pytest.raises(VerificationError, match="partition 0 of the query"):
        extract(BY_ROWS, request=request, base=LEGACY)
    assert extract(BY_ROWS, request=request) == 1


def test_a_connector_without_the_ability_says_so(tmp_path: Path) -> None:
    """And names the levels that are left."""
    from jivsbench.testing.fakes import FakeConnector

    rows = pa.table({"id": [1, 2]})
    profile = replace(OPTIMIZED, verification=BY_ROWS, pool=replace(OPTIMIZED.pool, min_idle=0))
    extractor = Extractor(connectors={"fake": FakeConnector({"t": rows})}, guards=(), profile=profile, output_dir=tmp_path)
    try:
        with pytest.raises(ExtractionError, match="verify by columns or by count"):
            extractor.extract("job", DataSource("f", "fake", Secret("fake://x")), ExtractionRequest("f", TableName("t")))
    finally:
        extractor.close(0.5)


MEMORY = """
import resource, sys
from jivsbench.extract.sinks import build_encoding
from jivsbench.extract.verification import read_row_fingerprint

for path in sys.argv[1:]:
    read_row_fingerprint(build_encoding("parquet", is_compressed=False), path)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.no_cover
def test_memory_stays_flat_however_many_rows_are_read_back(tmp_path: Path) -> None:
    """Six row groups of 50,000 rows, 10 MB each, take no more memory than two, give or take 16 MiB."""
    group = pa.table({"id": range(50_000), "text": [f"{number:0200}" for number in range(50_000)]})
    paths = [str(tmp_path / f"{groups}.parquet") for groups in (2, 6)]
    for path, groups in zip(paths, (2, 6), strict=True):
        with pq.ParquetWriter(path, group.schema, compression="none", use_dictionary=False) as writer:
            for _ in range(groups):
                writer.write_table(group)

    found = subprocess.run([sys.executable, "-c", MEMORY, *paths], capture_output=True, text=True, check=True)
    small_kib, large_kib = map(int, found.stdout.split())

    assert large_kib - small_kib < 16 * 1024
