"""Data sources in the store, and the directory that opens them."""

from pathlib import Path

import pytest
from sqlalchemy import text

from jivsbench.errors import DuplicateNameError, EnvironmentProblem, UnknownNameError
from jivsbench.extract.caching.sealing import Entry, Seal
from jivsbench.extract.jobs.directory import SourceDirectory
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.model.profile import CacheTimes
from jivsbench.model.source import TypePolicy
from tests.unit.jobs_caches import DictCache
from tests.unit.jobs_stores import REQUEST, build_source, build_sources, build_store, open_sqlite


@pytest.fixture
def database(tmp_path: Path):
    """An empty, migrated store."""
    with open_sqlite(tmp_path / "jobs") as opened:
        yield opened


@pytest.fixture
def directory(database):
    """A directory over that store and a cache."""
    return SourceDirectory(build_sources(database), MetadataCache(DictCache(), CacheTimes()))


def test_a_source_is_stored_with_its_url_and_shown_without(database) -> None:
    """Only `read_url` gives the URL."""
    store = build_sources(database)
    record = store.add(build_source(password="S3cret"))

    assert (record.name, record.tables, record.type_policy, record.is_declared) == (
        "shop",
        ("sales.orders",),
        TypePolicy.ERROR,
        False,
    )
    assert store.read_url(record.id) == build_source(password="S3cret").url
    assert "S3cret" not in repr((record, store.list_sources(), store.find("shop")))


def test_a_removed_source_leaves_no_url(database) -> None:
    """Its jobs keep its name, its URL is gone from the store, and its name is free again."""
    store, jobs = build_sources(database), build_store(database)
    first = store.add(build_source(password="S3cret"))
    job = jobs.create(first, REQUEST)

    assert store.remove("shop")
    assert not store.remove("shop")
    assert (store.find("shop"), store.read_url(first.id), jobs.find(job.record.id).source) == (None, None, "shop")
    second = store.add(build_source())
    assert second.id != first.id


def test_a_name_is_given_once(database) -> None:
    """A second source of one name is refused, with its name and without its URL."""
    store = build_sources(database)
    store.add(build_source())

    with pytest.raises(DuplicateNameError, match="'shop' exists already") as caught:
        store.add(build_source(password="other-S3cret"))
    assert "S3cret" not in str(caught.value)


def test_a_declared_source_never_enters_the_file(database, directory, tmp_path: Path) -> None:
    """The URL of a source that was given at start is opened from memory; neither the file nor its log holds the password."""
    directory.declare([build_source(password="S3cret-canary")])
    database.close()

    assert directory.open("shop").source == build_source(password="S3cret-canary")
    content = b"".join(path.read_bytes() for path in (tmp_path / "jobs").iterdir())
    assert b"shop" in content
    assert b"S3cret" not in content


def test_a_declared_source_takes_the_place_of_a_stored_one(directory) -> None:
    """Whoever starts the service decides: the stored URL of that name is erased."""
    directory.add(build_source(password="stored"))
    directory.declare([build_source(password="declared")])

    assert directory.open("shop").source == build_source(password="declared")
    assert directory.find("shop").is_declared


def test_a_change_is_seen_at_once(directory) -> None:
    """After a change of the password, or a removal, nobody opens the source as it was."""
    directory.add(build_source(password="old"))
    assert directory.open("shop").source == build_source(password="old")

    directory.replace(build_source(password="new"))
    assert directory.open("shop").source == build_source(password="new")
    directory.remove("shop")
    with pytest.raises(UnknownNameError):
        directory.open("shop")


def test_what_was_changed_while_it_was_opened_is_not_current(directory, monkeypatch) -> None:
    """Whoever opened it holds what it was; nobody is told that it still is."""
    directory.add(build_source())
    opened = directory.open("shop")
    assert directory.is_current(opened)
    directory.replace(build_source(password="other"))
    assert not directory.is_current(opened)

    read_url = directory._store.read_url

    def remove_meanwhile(source_id: str) -> object:
        url = read_url(source_id)
        directory.remove("shop")
        return url

    monkeypatch.setattr(directory._store, "read_url", remove_meanwhile)
    late = directory.open("shop")
    assert not directory.is_current(late)


def test_a_changed_declared_source_stays_in_memory(directory, tmp_path: Path) -> None:
    """Also the new URL of a declared source never enters the store."""
    directory.declare([build_source(password="first-S3cret")])
    directory.replace(build_source(password="second-S3cret"))

    assert directory.open("shop").source == build_source(password="second-S3cret")
    assert directory.find("shop").is_declared
    assert b"S3cret" not in b"".join(path.read_bytes() for path in (tmp_path / "jobs").iterdir())


def test_an_unknown_source_names_the_nearest_and_repeats_nothing(directory) -> None:
    """The sender's own text does not come back."""
    directory.add(build_source("warehouse"))

    for ask in (directory.find, directory.open, directory.remove, lambda name: directory.replace(build_source(name))):
        with pytest.raises(UnknownNameError, match="did you mean 'warehouse'") as caught:
            ask("warehose")
        assert "warehose" not in str(caught.value).replace("warehouse", "")


@pytest.mark.parametrize("has_key", [False, True])
def test_what_may_be_read_is_never_taken_from_the_cache(database, has_key) -> None:
    """Who writes to the cache is not believed; and even with the key nobody can widen the tables that a source allows."""
    client, seal = DictCache(), Seal(bytes(32))
    directory = SourceDirectory(build_sources(database), MetadataCache(client, CacheTimes(), key=bytes(32)))
    directory.add(build_source())
    directory.find("shop")
    (name,) = client.entries
    entry = seal.open(name, client.entries[name])
    forged = entry.content.replace(b'["sales.orders"]', b"null").replace(b'"revision":1', b'"revision":7')
    client.entries[name] = (seal if has_key else Seal(bytes(31))).close(name, Entry(forged, entry.refresh_at_s))

    assert directory.find("shop").tables == (None if has_key else ("sales.orders",))
    assert directory.open("shop").source.tables == ("sales.orders",)


def test_a_list_of_tables_that_cannot_be_read_allows_nothing(database) -> None:
    """An error with a name, which repeats nothing of what is stored."""
    store = build_sources(database)
    store.add(build_source())
    with database.writing() as connection:
        connection.execute(text("""UPDATE data_sources SET tables = '["sales.ord'"""))

    with pytest.raises(EnvironmentProblem, match="change the source") as caught:
        store.find("shop")
    assert "sales" not in str(caught.value)
