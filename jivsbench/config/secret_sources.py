"""Where a secret comes from: a file of its owner's, a Docker secret, an environment variable or its file, the keyring."""

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from jivsbench.config.document import Section
from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret

_LONGEST_SECRET_BYTES: Final = 65_536
KEY_KEYS: Final = ("key_file", "key_keyring")
"""Where a section that is about a key says where it is."""
_DOCKER_FOLDER: Final = Path("/run/secrets")
_ROOT: Final = 0


def read_key(section: Section, env: Mapping[str, str], variable: str) -> Secret | None:
    """A key: the environment's, else that of `key_file` or `key_keyring`. Whether it is a good one is seen where it is used."""
    given = read_variable(env, variable)
    key = only_one(section, KEY_KEYS)
    text = given or (read_secret(section, key) if key else None)
    return Secret(text) if text else None


def read_secret(section: Section, key: str) -> str:
    """What a key that ends in `_file` or `_keyring` names. Raises ConfigError."""
    name = section.required_text(key)
    return read_from_keyring(name, section.place(key)) if key.endswith("_keyring") else read_secret_file(section, key, name)


def only_one(section: Section, keys: Sequence[str]) -> str | None:
    """The one of some keys that the section has. Raises ConfigError for two."""
    given = [key for key in keys if key in section]
    if len(given) > 1:
        section.fail(given[1], f"there is a {given[0]!r} as well: keep one of them")
    return given[0] if given else None


def read_secret_file(section: Section, key: str, name: str) -> str:
    """The one line of a file that a section names; relative to the folder of the configuration. Raises ConfigError."""
    return read_secret_path(section.folder / Path(name).expanduser(), section.place(key))


def read_secret_path(path: Path, origin: str) -> str:
    """The one line of a file that others can neither read nor write. Raises ConfigError, with `origin` at its front."""
    try:
        with path.open("rb") as stream:
            facts = os.fstat(stream.fileno())
            content = stream.read(_LONGEST_SECRET_BYTES + 1)
    except OSError as exc:
        raise ConfigError(
            f"{origin}: the secret file {path} cannot be read ({exc.strerror}): check its name and its permissions"
        ) from exc
    if os.name == "posix" and facts.st_mode & _forbidden_bits(path, facts):
        raise ConfigError(
            f"{origin}: others can read the secret file {path} (mode {stat.S_IMODE(facts.st_mode):04o}): chmod 600 {path}"
        )
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > _LONGEST_SECRET_BYTES or "\n" in text:
        raise ConfigError(f"{origin}: the secret file {path} must hold one line of UTF-8 text")
    return text


def read_variable(env: Mapping[str, str], name: str) -> str | None:
    """The secret in the variable NAME, or in the file that NAME_FILE names; None when neither is set. Raises ConfigError."""
    value, path = env.get(name), env.get(f"{name}_FILE")
    if value and path:
        raise ConfigError(f"{name}_FILE: {name} is set as well: keep one of them")
    if path:
        return read_secret_path(Path(path).expanduser(), f"{name}_FILE")
    return value or None


def read_from_keyring(place: str, origin: str) -> str:
    """The secret that the user's keyring keeps for `service/user`. Raises ConfigError, with `origin` at its front."""
    service, separator, user = place.partition("/")
    if not separator or not service or not user:
        raise ConfigError(f"{origin}: a place in the keyring is written service/user")
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as exc:
        raise ConfigError(f"{origin}: the keyring needs the library keyring: pip install 'jivsbench[keyring]'") from exc
    try:
        secret: str | None = keyring.get_password(service, user)
    except KeyringError as exc:
        # Its text is foreign and may hold anything.
        raise ConfigError(f"{origin}: the keyring does not answer ({type(exc).__name__}): unlock it, or use a file") from exc
    if not secret:
        raise ConfigError(f"{origin}: the keyring keeps nothing for {place}: add it with `keyring set {service} {user}`")
    return secret


def _forbidden_bits(path: Path, facts: os.stat_result) -> int:
    """Docker mounts a secret as root's, readable by all within the container, whose border is the protection."""
    if path.resolve().is_relative_to(_DOCKER_FOLDER) and facts.st_uid == _ROOT:
        return stat.S_IWGRP | stat.S_IWOTH
    return stat.S_IRWXG | stat.S_IRWXO
