"""Increments from a real PostgreSQL: what commits late is not lost, and what comes twice is told by its key."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jivsbench.embedded import postgres
from jivsbench.errors import OutputError, ResumeError, SourceUnreachableError, UsageError
from jivsbench.extract import incremental
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.incremental import Series, extract_increment
from jivsbench.extract.manifest import parse_manifest
from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest, TableName, Watermark
from jivsbench_postgres.connection import PostgresConnection
from jivsbench_postgres.connector import PostgresConnector

DOCS = Path(__file__).parents[2] / "docs" / "extraction.md"
EXAMPLE = DOCS.read_text().partition("<!-- example: series -->\n```python\n")[2].partition("```")[0]
REQUEST = ExtractionRequest("shop", TableName("increment_rows"))


@pytest.fixture
def admin(embedded_postgres_url: str) -> Iterator[psycopg.Connection]:
    """A writer beside the extraction, and a table of twenty rows that are an hour old."""
    with psycopg.connect(embedded_postgres_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS increment_rows")
        connection.execute(
            "CREATE TABLE increment_rows (id bigint PRIMARY KEY, name text, changed timestamptz NOT NULL DEFAULT now(), "
            "number int NOT NULL DEFAULT 0, local timestamp NOT NULL DEFAULT localtimestamp, empty timestamptz, day date)"
        )
        connection.execute(
            "INSERT INTO increment_rows SELECT g, 'first', now() - interval '1 hour', g, localtimestamp - interval '1 hour' "
            "FROM generate_series(1, 20) g"
        )
        yield connection
        connection.execute("DROP TABLE increment_rows")


class Runs:
    """The increments of one series, each in a folder of its own."""

    def __init__(self, url: str, folder: Path, connector: PostgresConnector) -> None:
        self.source = DataSource("shop", "postgres", Secret(url))
        self.folder = folder
        self.state = folder / "state"
        self.count = 0
        self.extractor = Extractor(
            connectors={"postgres": connector},
            guards=(),
            profile=replace(OPTIMIZED, pool=replace(OPTIMIZED.pool, min_idle=0)),
            output_dir=folder,
        )

    def run(self, column: str = "changed", request: ExtractionRequest = REQUEST, **series: object) -> set[int]:
        """Extract the next increment; the keys that it holds."""
        self.count += 1
        result, mode = extract_increment(
            self.extractor, f"run{self.count}", self.source, request, Series(column, self.state, **series)
        )
        manifest = parse_manifest((self.folder / f"run{self.count}" / "manifest.json").read_bytes())
        assert manifest.increment is not None
        assert (manifest.increment.mode, manifest.increment.key) == (mode, ("id",))
        found = set(pq.read_table(self.folder / f"run{self.count}" / "part-00000.parquet")["id"].to_pylist())
        assert len(found) == result.rows_written
        return found

    def merge(self) -> dict[int, str]:
        """What a reader has of all increments, with the code that the documentation gives."""
        folders = [self.folder / f"run{number}" for number in range(1, self.count + 1)]
        names: dict[str, Callable[..., pa.Table]] = {}
        exec(EXAMPLE, names)
        rows = names["read_series"](folders, ["id"])
        assert len(set(rows["id"].to_pylist())) == rows.num_rows
        return dict(zip(rows["id"].to_pylist(), rows["name"].to_pylist(), strict=True))


Build = Callable[..., Runs]


@pytest.fixture
def build(embedded_postgres_url: str, tmp_path: Path) -> Iterator[Build]:
    """Builds a series over a connector."""
    built: list[Runs] = []

    def make(connector: PostgresConnector | None = None, url: str = embedded_postgres_url) -> Runs:
        folder = tmp_path / str(len(built))
        folder.mkdir()
        built.append(Runs(url, folder, connector or PostgresConnector()))
        return built[-1]

    yield make
    for runs in built:
        runs.extractor.close(0.5)


@pytest.fixture
def late(admin: psycopg.Connection, embedded_postgres_url: str) -> Iterator[psycopg.Connection]:
    """A transaction that began before the extraction, and has not written yet."""
    del admin
    with psycopg.connect(embedded_postgres_url) as connection:
        connection.execute("SELECT now()")
        yield connection
        connection.rollback()


def read_table(admin: psycopg.Connection) -> dict[int, str]:
    """What the table holds."""
    return dict(admin.execute("SELECT id, name FROM increment_rows").fetchall())


def test_only_what_is_new_comes_again(admin: psycopg.Connection, build: Build):
    """Everything first; then new and changed rows, without those that are an hour old."""
    runs = build()
    assert runs.run() == set(range(1, 21))
    admin.execute("INSERT INTO increment_rows (id, name) VALUES (21, 'new')")
    admin.execute("UPDATE increment_rows SET name = 'changed', changed = now() WHERE id = 3")

    assert runs.run() == {3, 21}
    assert runs.merge() == read_table(admin)
    assert runs.run(is_full=True) == set(range(1, 22))


def commit_late(admin: psycopg.Connection, late: psycopg.Connection, runs: Runs) -> dict[int, str]:
    """A row of an older time commits after a younger one was extracted; what a reader has in the end."""
    admin.execute("SELECT pg_sleep(0.01)")
    admin.execute("INSERT INTO increment_rows (id, name) VALUES (30, 'younger')")
    runs.run()
    late.execute("INSERT INTO increment_rows (id, name, changed) VALUES (31, 'late', now())")
    late.commit()
    admin.execute("INSERT INTO increment_rows (id, name) VALUES (32, 'youngest')")
    runs.run()
    return runs.merge()


def age(late: psycopg.Connection) -> None:
    """Let the open transaction be older than the margin that is read again anyway."""
    late.execute("SELECT pg_sleep(5.5)")


def test_a_late_commit_is_not_lost(admin: psycopg.Connection, late: psycopg.Connection, build: Build):
    """The transaction had begun, but not written, when the rows were read."""
    age(late)

    assert commit_late(admin, late, build()) == read_table(admin)


class _Naive(PostgresConnector):
    """Planted: the next increment begins at the newest value that there is."""

    def connect(self, source, limits):
        connection = super().connect(source, limits)

        def newest(request: ExtractionRequest, column: str, overlap: int | None) -> Watermark:
            found = PostgresConnection.watermark(connection, request, column, overlap)
            rows = connection._wire.fetch(b"SELECT max(changed) FROM increment_rows", doing="ask", patience_s=5)
            return replace(found, read_from=rows[0][0])

        connection.watermark = newest  # type: ignore[method-assign]
        return connection


def test_a_naive_watermark_loses_the_late_commit(admin: psycopg.Connection, late: psycopg.Connection, build: Build):
    """The test above would find it."""
    merged = commit_late(admin, late, build(_Naive()))

    assert set(read_table(admin)) - set(merged) == {31}


def test_a_user_who_cannot_see_open_transactions_has_to_say_how_long_they_take(
    admin: psycopg.Connection, build: Build, embedded_postgres_url: str
):
    """Refused with the grant to ask for; with an overlap, or the grant, it goes on."""
    admin.execute("DROP ROLE IF EXISTS increment_reader")
    admin.execute("CREATE ROLE increment_reader LOGIN PASSWORD 'pw'")
    try:
        admin.execute("GRANT SELECT ON increment_rows TO increment_reader")
        place = embedded_postgres_url.partition("@")[2]
        runs = build(url=f"postgresql://increment_reader:pw@{place}")

        with pytest.raises(UsageError, match=r"grant pg_read_all_stats.*--overlap"):
            runs.run()
        assert runs.run(overlap=60) == set(range(1, 21))
        assert runs.run(overlap=60) == {*range(1, 21)}
        admin.execute("GRANT pg_read_all_stats TO increment_reader")
        runs.run()
        assert runs.run() == set()
    finally:
        admin.execute("DROP OWNED BY increment_reader")
        admin.execute("DROP ROLE increment_reader")


def test_numbers_and_local_times_need_an_overlap(admin: psycopg.Connection, build: Build):
    """Their order says nothing about open transactions; what the overlap says is read again."""
    for column, overlap in (("number", 3), ("local", 60)):
        runs = build()
        with pytest.raises(UsageError, match="--overlap"):
            runs.run(column)
        runs.run(column, overlap=overlap)
        admin.execute("INSERT INTO increment_rows (id, name, number) VALUES (100 + %s, 'x', 22)", (overlap,))
        found = runs.run(column, overlap=overlap)
        assert 100 + overlap in found
        if column == "number":
            assert found == {17, 18, 19, 20, 103}


def test_a_time_in_the_future_does_not_end_the_series(admin: psycopg.Connection, build: Build):
    """A row of the year 2999, by overlap and by horizon."""
    admin.execute("UPDATE increment_rows SET changed = '2999-01-01', local = '2999-01-01' WHERE id = 1")
    by_horizon, by_overlap = build(), build()
    by_horizon.run()
    by_overlap.run("local", overlap=60)
    admin.execute("INSERT INTO increment_rows (id, name) VALUES (40, 'new')")

    assert by_horizon.run() == {1, 40}
    assert by_overlap.run("local", overlap=60) == {1, 40}


@pytest.mark.parametrize(
    ("column", "words"), [("empty", "may be NULL"), ("day", "needs a timestamp or an integer"), ("name", "needs a timestamp")]
)
def test_columns_that_cannot_order_rows_are_refused(admin: psycopg.Connection, build: Build, column: str, words: str):
    """By name, before anything is read."""
    del admin
    runs = build()
    with pytest.raises(UsageError, match=words):
        runs.run(column, overlap=1)
    assert list(runs.folder.iterdir()) == []


def test_a_table_without_a_key_is_refused(admin: psycopg.Connection, build: Build):
    """What comes twice could not be told."""
    admin.execute("ALTER TABLE increment_rows DROP CONSTRAINT increment_rows_pkey")

    with pytest.raises(UsageError, match="no key"):
        build().run()


def test_chosen_columns_have_to_hold_the_key(admin: psycopg.Connection, build: Build):
    """And the column itself; a limit is refused too."""
    del admin
    with pytest.raises(UsageError, match="id, changed"):
        build().run(request=replace(REQUEST, columns=("name",)))
    with pytest.raises(UsageError, match="leave out the limit"):
        build().run(request=replace(REQUEST, row_limit=1))


def test_a_state_that_could_not_be_written_is_said_before_anything_is_read(admin: psycopg.Connection, build: Build):
    """Its folder is missing."""
    del admin
    runs = build()
    runs.state = runs.folder / "missing" / "state"
    with pytest.raises(OutputError, match="does not exist"):
        runs.run()
    assert list(runs.folder.iterdir()) == []


def test_the_state_of_another_series_is_refused(admin: psycopg.Connection, build: Build):
    """Another column, other columns, a table made anew; --full begins again."""
    runs = build()
    runs.run()
    with pytest.raises(ResumeError, match="another column"):
        runs.run("number", overlap=1)
    with pytest.raises(ResumeError, match="another columns"):
        runs.run(request=replace(REQUEST, columns=("id", "changed")))
    admin.execute("CREATE TABLE other (LIKE increment_rows INCLUDING ALL)")
    admin.execute("DROP TABLE increment_rows")
    admin.execute("ALTER TABLE other RENAME TO increment_rows")
    with pytest.raises(ResumeError, match="another table of that name"):
        runs.run()

    assert runs.run(is_full=True) == set()


def test_a_damaged_state_is_refused(admin: psycopg.Connection, build: Build):
    """Cut at any byte, or changed in one."""
    del admin
    runs = build()
    runs.run()
    content = runs.state.read_bytes()
    assert runs.state.stat().st_mode & 0o777 == 0o600
    for damaged in [content[:size] for size in range(len(content) - 1)] + [content.replace(b"increment", b"Increment")]:
        with pytest.raises(ResumeError, match="damaged"):
            incremental.parse_state(damaged, runs.state)


def test_a_failed_run_does_not_move_the_state(admin: psycopg.Connection, build: Build, monkeypatch: pytest.MonkeyPatch):
    """The rows come with the next one; of two runs at a time the slower one is told."""
    runs = build()
    runs.run()
    before = runs.state.read_bytes()
    admin.execute("INSERT INTO increment_rows (id, name) VALUES (50, 'new')")
    with monkeypatch.context() as patch:

        def fail(*_args: object) -> None:
            raise SourceUnreachableError("gone")

        patch.setattr(PostgresConnection, "read", fail)
        with pytest.raises(SourceUnreachableError):
            runs.run()
    assert runs.state.read_bytes() == before

    assert runs.run() == {50}
    with pytest.raises(ResumeError, match="another run wrote"):
        incremental.write_state(runs.state, incremental.parse_state(before, runs.state), before)
    assert {path.name for path in runs.folder.iterdir()} == {"state", "run1", "run3"}


def test_a_prepared_transaction_cannot_be_dated(build: Build, monkeypatch: pytest.MonkeyPatch):
    """The server does not tell when it began; when it is gone, increments go on."""
    monkeypatch.setitem(postgres._SETTINGS, "max_prepared_transactions", "2")
    with postgres.start_postgres() as server:
        url = server.owner_url.reveal()
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "CREATE TABLE increment_rows (id int PRIMARY KEY, name text, changed timestamptz NOT NULL DEFAULT now())"
            )
            admin.execute("BEGIN")
            admin.execute("INSERT INTO increment_rows VALUES (60, 'prepared')")
            admin.execute("PREPARE TRANSACTION 'increment'")
            runs = build(url=url)

            with pytest.raises(UsageError, match="prepared transaction"):
                runs.run()
            admin.execute("COMMIT PREPARED 'increment'")
            assert runs.run() == {60}
        runs.extractor.close(0.5)
