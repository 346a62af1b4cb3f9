"""A complete output is taken for what is asked only while it is that: every file of it, and in all that was asked for."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from jivsbench.errors import ResumeError, TypePolicyError
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.manifest import format_manifest, parse_manifest
from jivsbench.extract.resume import read_finished
from jivsbench.model.output import OutputFormat
from jivsbench.model.profile import OPTIMIZED, Profile, Verification
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.model.table import ExtractionRequest, Filter, Operator, TableName
from jivsbench.model.transform import DropColumns
from jivsbench_sqlite.connector import SqliteConnector

REQUEST = ExtractionRequest("shop", TableName("t"), format=OutputFormat.CSV)
KEPT_FORMULAS = replace(OPTIMIZED, output=replace(OPTIMIZED.output, escape_formulas=False))
PLAIN = replace(OPTIMIZED, switches=replace(OPTIMIZED.switches, compression=False))


@pytest.fixture
def source(tmp_path: Path) -> DataSource:
    """A text that a spreadsheet would run."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, '=1+1')")
    return DataSource("shop", "sqlite", Secret(f"sqlite:///{tmp_path}/shop.db"))


@pytest.fixture
def folder(tmp_path: Path, source: DataSource) -> Path:
    """A complete output."""
    extractor = Extractor(connectors={"sqlite": SqliteConnector()}, guards=(), profile=OPTIMIZED, output_dir=tmp_path)
    with closing(extractor):
        extractor.extract("job", source, REQUEST, partition_rows=10)
    return tmp_path / "job"


def test_a_complete_output_is_taken(folder: Path, source: DataSource) -> None:
    """With all that it was told to be."""
    found = read_finished(folder, source, REQUEST, OPTIMIZED)

    assert found is not None
    assert (found.rows_written, found.kept_partitions, found.escaped_cells[0].count) == (1, 1, 1)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_bytes(file.read_bytes()[:-1])], ids=["gone", "cut"])
def test_a_file_that_is_not_there_whole_is_told(folder: Path, source: DataSource, spoil: Callable[[Path], object]) -> None:
    """A manifest alone is no output."""
    (file,) = folder.glob("part-*")
    spoil(file)

    with pytest.raises(ResumeError, match=rf"{file.name} is not as the manifest notes it"):
        read_finished(folder, source, REQUEST, OPTIMIZED)


@pytest.mark.parametrize(
    ("words", "changed", "request_", "profile"),
    [
        ("another form of output", {}, REQUEST, KEPT_FORMULAS),
        ("another form of output", {}, REQUEST, PLAIN),
        ("another form of output", {}, replace(REQUEST, format=OutputFormat.PARQUET), OPTIMIZED),
        ("another level", {}, REQUEST, replace(OPTIMIZED, verification=Verification.ROWS)),
        ("another type policy", {"type_policy": TypePolicy.NULL}, REQUEST, OPTIMIZED),
        ("another source", {"name": "other"}, REQUEST, OPTIMIZED),
        ("another request", {}, replace(REQUEST, row_limit=1), OPTIMIZED),
        ("no values of filters", {}, replace(REQUEST, transforms=(DropColumns(("v",)),)), OPTIMIZED),
    ],
)
def test_an_output_that_was_asked_for_otherwise_is_refused(
    *, folder: Path, source: DataSource, words: str, changed: dict[str, object], request_: ExtractionRequest, profile: Profile
) -> None:
    """Also in what changes no row: its files would not be what is asked for."""
    with pytest.raises(ResumeError, match=words):
        read_finished(folder, replace(source, **changed), request_, profile)


def test_a_manifest_without_a_type_policy_is_not_believed(folder: Path, source: DataSource) -> None:
    """Of an earlier version: nobody knows what became of values that did not fit."""
    manifest = parse_manifest((folder / "manifest.json").read_bytes())
    assert manifest.type_policy == "error"
    (folder / "manifest.json").write_bytes(format_manifest(replace(manifest, type_policy=None)))

    with pytest.raises(ResumeError, match="an earlier version, which notes none"):
        read_finished(folder, source, REQUEST, OPTIMIZED)


def test_an_unfinished_output_of_another_type_policy_is_not_continued(tmp_path: Path, source: DataSource) -> None:
    """One of its files would hold NULL where another had ended the job."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE u (id INTEGER PRIMARY KEY, n INTEGER)")
        database.execute("INSERT INTO u VALUES (1, 'abc')")
    request = ExtractionRequest("shop", TableName("u"), filters=(Filter("id", Operator.GREATER, (0,)),))
    extractor = Extractor(connectors={"sqlite": SqliteConnector()}, guards=(), profile=OPTIMIZED, output_dir=tmp_path)
    with closing(extractor):
        with pytest.raises(TypePolicyError, match="'n'"):
            extractor.extract("job", source, request, partition_rows=10)

        with pytest.raises(ResumeError, match="other settings"):
            extractor.extract("job", replace(source, type_policy=TypePolicy.NULL), request, partition_rows=10)
