"""Secrets out of files, variables, Docker's folder and the keyring."""

from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from jivsbench.config import load_settings, secret_sources
from jivsbench.config.secret_sources import read_secret_path
from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret


class SmallKeyring(KeyringBackend):
    """A keyring in memory; locked when it has nothing."""

    priority = 1

    def __init__(self, entries: dict[tuple[str, str], str] | None) -> None:
        super().__init__()
        self._entries = entries

    def get_password(self, service: str, username: str) -> str | None:
        if self._entries is None:
            raise KeyringLocked("the master password is S3cret")
        return self._entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        assert self._entries is not None
        self._entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        assert self._entries is not None
        del self._entries[service, username]


@pytest.fixture
def use_keyring():
    """Puts a keyring in place of the machine's, for one test."""
    before = keyring.get_keyring()
    yield lambda entries: keyring.set_keyring(SmallKeyring(entries))
    keyring.set_keyring(before)


def write_config(folder: Path, text: str) -> Path:
    """A configuration file."""
    path = folder / "jivsbench.toml"
    path.write_text(text)
    return path


def test_urls_passwords_and_keys_come_from_the_keyring(tmp_path: Path, use_keyring) -> None:
    """Each of the three places; a password is quoted into the URL."""
    use_keyring(
        {("shop", "url"): "postgresql://ann@db/shop", ("shop", "ann"): "p@ss/word", ("jivsbench", "key"): "of the keyring"}
    )

    whole = load_settings(write_config(tmp_path, '[source]\nurl_keyring = "shop/url"\n'), {})
    part = load_settings(
        write_config(tmp_path, '[source]\nurl = "postgresql://ann@db/shop"\npassword_keyring = "shop/ann"\n'), {}
    )
    keys = '[credentials]\nkey_keyring = "jivsbench/key"\n[masking]\nkey_keyring = "jivsbench/key"\n'
    key = load_settings(write_config(tmp_path, keys), {})

    assert whole.source.url == Secret("postgresql://ann@db/shop")
    assert part.source.url == Secret("postgresql://ann:p%40ss%2Fword@db/shop")
    assert (key.credential_key, key.mask_key) == (Secret("of the keyring"), Secret("of the keyring"))


@pytest.mark.parametrize("name", ["credentials", "masking"])
def test_a_key_has_one_place(tmp_path: Path, name: str) -> None:
    """Two in the file are a mistake, also while the environment's is taken."""
    config = write_config(tmp_path, f'[{name}]\nkey_file = "x"\nkey_keyring = "jivsbench/key"\n')
    variables = {"JIVSBENCH_CREDENTIAL_KEY": "given", "JIVSBENCH_MASKING_KEY": "given"}

    for env in ({}, variables):
        with pytest.raises(ConfigError, match=rf"{name}\.key_keyring: there is a 'key_file' as well: keep one of them"):
            load_settings(config, env)


@pytest.mark.parametrize(
    ("text", "entries", "words"),
    [
        ('url_keyring = "nothing"', {}, "service/user"),
        ('url_keyring = "shop/"', {}, "service/user"),
        ('url_keyring = "shop/url"', {}, "keeps nothing for shop/url"),
        ('url_keyring = "shop/url"', None, "KeyringLocked"),
        ('url_keyring = "shop/url"\nurl_file = "x"', {}, "keep one"),
        ('url = "pg://a@h/d"\npassword_file = "x"\npassword_keyring = "shop/ann"', {}, "keep one"),
        ('password_keyring = "shop/ann"', {}, "no 'url'"),
    ],
)
def test_mistakes_with_the_keyring_name_their_line(tmp_path: Path, use_keyring, text, entries, words) -> None:
    """The place, what is wrong and what to do; nothing of what the keyring said."""
    use_keyring(entries)
    with pytest.raises(ConfigError, match=words) as caught:
        load_settings(write_config(tmp_path, f"[source]\n{text}\n"), {})

    assert "jivsbench.toml:" in str(caught.value)
    assert "S3cret" not in str(caught.value)


def test_every_secret_variable_may_be_a_file(tmp_path: Path) -> None:
    """NAME_FILE instead of NAME, for each of them, and for a reference within a URL."""
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_text("postgresql://ann@db/shop\n")
    names = ("SOURCE_URL", "CACHE_URL", "METADATA_URL", "ADMIN_TOKEN", "CREDENTIAL_KEY", "MASKING_KEY")
    found = load_settings(None, {f"JIVSBENCH_{name}_FILE": str(path) for name in names})
    secret = Secret("postgresql://ann@db/shop")

    assert (found.source.url, found.cache_url, found.metadata_url) == (secret, secret, secret)
    assert (found.admin_token, found.credential_key, found.mask_key) == (secret, secret, secret)
    path.write_text("p@ss\n")
    config = write_config(tmp_path, '[source]\nurl = "postgresql://ann:${SHOP_PASSWORD}@db/shop"\n')
    assert load_settings(config, {"SHOP_PASSWORD_FILE": str(path)}).source.url == Secret("postgresql://ann:p%40ss@db/shop")
    with pytest.raises(ConfigError, match="keep one of them"):
        load_settings(config, {"SHOP_PASSWORD_FILE": str(path), "SHOP_PASSWORD": "x"})


def test_dockers_secrets_may_be_readable_and_not_writable(tmp_path: Path, monkeypatch) -> None:
    """Root's files in Docker's folder pass as Docker mounts them (0444); outside, through a link, or writable they do not."""
    docker, elsewhere = tmp_path / "run-secrets", tmp_path / "elsewhere"
    for folder in (docker, elsewhere):
        folder.mkdir()
        (folder / "password").write_text("S3cret")
        (folder / "password").chmod(0o444)
    (docker / "link").symlink_to(elsewhere / "password")
    monkeypatch.setattr(secret_sources, "_DOCKER_FOLDER", docker)
    monkeypatch.setattr(secret_sources, "_ROOT", (docker / "password").stat().st_uid)

    assert read_secret_path(docker / "password", "here") == "S3cret"
    (docker / "writable").write_text("S3cret")
    (docker / "writable").chmod(0o666)
    for path in (elsewhere / "password", docker / "link", docker / "writable"):
        with pytest.raises(ConfigError, match="chmod 600"):
            read_secret_path(path, "here")
    monkeypatch.setattr(secret_sources, "_ROOT", -1)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_secret_path(docker / "password", "here")
