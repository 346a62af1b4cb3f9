"""Stored URLs: encrypted, bound to their source, and refused when anything is not as it was sealed."""

import base64
import os
import random
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from jivsbench.cli.root import root
from jivsbench.config import load_settings
from jivsbench.errors import ConfigError, CredentialError, EnvironmentProblem, OutputError
from jivsbench.extract.credentials import CredentialOwner, CredentialVault, format_new_key, parse_credential_key
from jivsbench.extract.jobs.database import open_database
from jivsbench.extract.jobs.models import DATA_SOURCES
from jivsbench.extract.jobs.rotation import rotate_urls
from jivsbench.model.profile import OPTIMIZED
from jivsbench.model.secret import Secret
from tests.unit.jobs_stores import VAULT, build_source, build_sources, open_sqlite, own_database

OWNER = CredentialOwner(1, "shop", "postgres")
URL = Secret("postgresql://ann:S3cret-canary@db/shop")
WEAK_KEYS = [
    *(
        "",
        "changeme",
        "secret",
        "0" * 64,
        "f" * 64,
        "ab" * 32,
        "00010203" * 8,
        bytes(range(32)).hex(),
        bytes(range(0, 64, 2)).hex(),
    ),
    *("a" * 32, "a" * 44, "0123456789abcdef" * 4, base64.b64encode(b"this is only a passphrase, sorry").decode()),
    *(secret * 8 for secret in ("changeme", "deadbeef", "12345678", "cafebabe")),
    base64.urlsafe_b64encode(random.Random(1).randbytes(29)).decode(),
    base64.urlsafe_b64encode(random.Random(1).randbytes(64)).decode(),
]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path: Path):
    """An empty, migrated store."""
    if request.param == "sqlite":
        with open_sqlite(tmp_path / "jobs") as opened:
            yield opened
        return
    with own_database(request.getfixturevalue("embedded_postgres_url")) as url:
        opened = open_database(Secret(url), tmp_path, OPTIMIZED.metadata)
        yield opened
        opened.close()


def read_stored(database, name: str = "shop") -> str:
    """The URL's column as it lies in the store."""
    with database.reading() as connection:
        return connection.execute(select(DATA_SOURCES.c.url).where(DATA_SOURCES.c.name == name)).scalar_one()


def write_stored(database, name: str, **values: str | None) -> None:
    """What somebody does who can write to the store."""
    with database.writing() as connection:
        connection.execute(update(DATA_SOURCES).where(DATA_SOURCES.c.name == name).values(**values))


def test_what_was_sealed_opens() -> None:
    """The URL comes back, also one with letters of other scripts."""
    for text in (URL, Secret("pg://ä:пароль\U0001f511@h/d"), Secret("x" * 5_000)):
        assert VAULT.open(VAULT.seal(text, OWNER), OWNER) == text


@pytest.mark.parametrize("raw_step", [1])
def test_every_flipped_bit_and_every_cut_is_refused(raw_step) -> None:
    """Nonce, ciphertext and tag: all bits of a sealed URL, one by one, and every shorter form of it."""
    prefix, _, body = VAULT.seal(URL, OWNER).rpartition(":")
    raw = base64.urlsafe_b64decode(body)
    forged = [
        raw[:at] + bytes([raw[at] ^ (1 << bit)]) + raw[at + 1 :] for at in range(0, len(raw), raw_step) for bit in range(8)
    ] + [raw[:size] for size in range(len(raw))]
    opened = []
    for attempt in forged:
        try:
            opened.append(VAULT.open(f"{prefix}:{base64.urlsafe_b64encode(attempt).decode()}", OWNER))
        except CredentialError:
            continue

    assert opened == []
    assert len(forged) > 400


@pytest.mark.parametrize(
    "owner", [CredentialOwner(2, "shop", "postgres"), CredentialOwner(1, "other", "postgres"), CredentialOwner(1, "shop", "rest")]
)
def test_a_url_of_another_source_is_refused(owner) -> None:
    """Row, name and connector are authenticated with the URL."""
    with pytest.raises(CredentialError, match="altered, or belongs to another source"):
        VAULT.open(VAULT.seal(URL, OWNER), owner)


@pytest.mark.parametrize(
    "text", ["", "jivs1", "jivs1:", "jivs1::", "jivs1:{id}:", "jivs1:{id}:!!", "jivs1:{id}:aaaa:aaaa", URL.reveal()]
)
def test_what_no_vault_made_is_refused(text) -> None:
    """A plain URL, or half of a sealed one, never opens; nothing of it is repeated."""
    with pytest.raises(CredentialError) as caught:
        VAULT.open(text.format(id=VAULT.key_id), OWNER)
    assert "S3cret" not in str(caught.value)


def test_another_key_is_told_apart_from_an_altered_text() -> None:
    """The message names both keys by their ids."""
    other = CredentialVault(parse_credential_key(format_new_key()))

    with pytest.raises(CredentialError, match=f"{VAULT.key_id}.*{other.key_id}"):
        other.open(VAULT.seal(URL, OWNER), OWNER)


def test_no_nonce_comes_twice() -> None:
    """20,000 encryptions of one URL, 20,000 nonces."""
    nonces = {base64.urlsafe_b64decode(VAULT.seal(URL, OWNER).rpartition(":")[2])[:12] for _ in range(20_000)}

    assert len(nonces) == 20_000


@pytest.mark.parametrize("text", WEAK_KEYS)
def test_a_weak_key_is_refused(text) -> None:
    """No default, no phrase, no pattern, no other size; the message repeats nothing of it."""
    with pytest.raises(CredentialError, match="new-key") as caught:
        parse_credential_key(Secret(text))
    assert not text or text not in str(caught.value)


def test_random_keys_pass_in_both_forms() -> None:
    """1,000 new keys as base64 and as hex: none is refused, and both forms are the same key."""
    for _ in range(1_000):
        key = format_new_key()
        raw = base64.urlsafe_b64decode(key.reveal())
        assert parse_credential_key(key).key_id == parse_credential_key(Secret(raw.hex())).key_id


def test_a_key_is_not_printed() -> None:
    """Neither the key nor what is derived from it is in a repr."""
    key = format_new_key()

    assert "***" in repr(parse_credential_key(key))
    assert key.reveal()[:8] not in repr((key, parse_credential_key(key)))


def test_the_store_holds_no_plain_url(database) -> None:
    """What lies in the store is neither the URL nor any part of its password, after an add and after a change."""
    store = build_sources(database)
    record = store.add(build_source(password="first-S3cret"))
    before = read_stored(database)
    store.replace(build_source(password="second-S3cret"))

    assert "S3cret" not in before + read_stored(database)
    assert before != read_stored(database)
    assert store.read_url(record.id) == build_source(password="second-S3cret").url


def test_swapped_urls_are_refused(database) -> None:
    """Whoever can write to the store cannot send one source's password to another's server."""
    store = build_sources(database)
    shop, lager = store.add(build_source("shop")), store.add(build_source("lager", "other"))
    write_stored(database, "shop", url=read_stored(database, "lager"))

    with pytest.raises(CredentialError, match="'shop'"):
        store.read_url(shop.id)
    write_stored(database, "lager", connector="rest")
    with pytest.raises(CredentialError, match="'lager'"):
        store.read_url(lager.id)


def test_without_a_key_no_url_is_stored(database) -> None:
    """Added and changed sources are refused and nothing stays; a declared one needs no key."""
    keyless = build_sources(database, None)
    with pytest.raises(CredentialError, match="no credential key"):
        keyless.add(build_source())
    assert keyless.list_sources() == ()

    keyless.declare(build_source())
    with pytest.raises(CredentialError):
        keyless.replace(build_source())
    assert keyless.find("shop").is_declared


def test_a_rotation_changes_the_key_of_every_url(database) -> None:
    """Afterwards the new key opens all of them and the old one none; a URL that was kept as it was is encrypted too."""
    store = build_sources(database)
    shop, lager = store.add(build_source("shop")), store.add(build_source("lager", "other"))
    write_stored(database, "lager", url=build_source("lager", "plain").url.reveal())
    new = CredentialVault(parse_credential_key(format_new_key()))

    rotation = rotate_urls(database, VAULT, new)

    rotated = build_sources(database, new)
    assert (rotation.sealed, rotation.were_plain, rotation.key_id) == (2, 1, new.key_id)
    assert rotated.read_url(shop.id) == build_source("shop").url
    assert rotated.read_url(lager.id) == build_source("lager", "plain").url
    with pytest.raises(CredentialError):
        store.read_url(shop.id)
    assert rotate_urls(database, None, new).sealed == 2


def test_a_rotation_that_cannot_open_everything_changes_nothing(database) -> None:
    """All URLs or none."""
    store = build_sources(database)
    shop = store.add(build_source("shop"))
    store.add(build_source("lager"))
    write_stored(database, "lager", url=read_stored(database, "shop"))

    with pytest.raises(CredentialError):
        rotate_urls(database, VAULT, CredentialVault(parse_credential_key(format_new_key())))
    assert store.read_url(shop.id) == build_source("shop").url


def test_the_commands_make_a_key_and_change_it(tmp_path: Path, monkeypatch) -> None:
    """new-key writes a private file and never over another; rotate needs a key, a store, and a service that is stopped."""
    monkeypatch.chdir(tmp_path)
    old_mask = os.umask(0)
    try:
        runner = CliRunner()
        for name in ("old.key", "new.key"):
            assert runner.invoke(root, ["credentials", "new-key", name], catch_exceptions=False).exit_code == 0
    finally:
        os.umask(old_mask)
    assert {stat.S_IMODE(Path(name).stat().st_mode) for name in ("old.key", "new.key")} == {0o600}
    assert isinstance(runner.invoke(root, ["credentials", "new-key", "old.key"]).exception, OutputError)
    old = CredentialVault(parse_credential_key(Secret(Path("old.key").read_text())))
    with open_sqlite(tmp_path / "extractions" / ".jobs") as database:
        record = build_sources(database, old).add(build_source())
    rotate = ["credentials", "rotate", "--old-key-file", "old.key", "--json"]
    assert isinstance(runner.invoke(root, rotate).exception, CredentialError)
    monkeypatch.setenv("JIVSBENCH_CREDENTIAL_KEY_FILE", "new.key")
    assert isinstance(runner.invoke(root, [*rotate, "--output", "nowhere"]).exception, OutputError)

    descriptor = os.open("extractions", os.O_RDONLY)
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert isinstance(runner.invoke(root, rotate).exception, EnvironmentProblem)
    os.close(descriptor)
    found = runner.invoke(root, rotate, catch_exceptions=False)

    assert '"sealed": 1' in found.output
    new = CredentialVault(parse_credential_key(Secret(Path("new.key").read_text())))
    with open_sqlite(tmp_path / "extractions" / ".jobs") as database:
        assert build_sources(database, new).read_url(record.id) == build_source().url


def test_a_key_comes_from_a_file_a_variable_or_its_file(tmp_path: Path) -> None:
    """The environment is stronger than the configuration; both variables at once are a mistake."""
    key_file = tmp_path / "service.key"
    key_file.touch(0o600)
    key_file.write_text("of the file\n")
    config = tmp_path / "jivsbench.toml"
    config.write_text('[credentials]\nkey_file = "service.key"\n')

    assert load_settings(config, {}).credential_key == Secret("of the file")
    assert load_settings(config, {"JIVSBENCH_CREDENTIAL_KEY": "of the variable"}).credential_key == Secret("of the variable")
    assert load_settings(None, {"JIVSBENCH_CREDENTIAL_KEY_FILE": str(key_file)}).credential_key == Secret("of the file")
    with pytest.raises(ConfigError, match="keep one"):
        load_settings(None, {"JIVSBENCH_CREDENTIAL_KEY_FILE": str(key_file), "JIVSBENCH_CREDENTIAL_KEY": "x"})
    key_file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_settings(None, {"JIVSBENCH_CREDENTIAL_KEY_FILE": str(key_file)})


def test_a_phrase_that_happens_to_be_base64_is_no_key() -> None:
    """43 letters and dashes decode to 32 bytes that look drawn at random."""
    with pytest.raises(CredentialError, match="made of words"):
        parse_credential_key(Secret("please-change-this-secret-before-you-deploy"))


def test_a_hundred_thousand_encryptions_share_no_nonce() -> None:
    """Of one URL, for one source."""
    vault, owner = CredentialVault(parse_credential_key(format_new_key())), CredentialOwner(1, "shop", "postgres")
    url = Secret("postgresql://reader@127.0.0.1/shop")

    nonces = {base64.urlsafe_b64decode(vault.seal(url, owner).rpartition(":")[2])[:12] for _ in range(100_000)}

    assert len(nonces) == 100_000
