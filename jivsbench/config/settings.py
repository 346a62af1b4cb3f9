"""Settings of one command: what the file says, what the environment overrides, what the flags override."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from jivsbench.config.document import Document, Section, read_document
from jivsbench.config.profiles import NAME, NAME_RULE, read_profiles
from jivsbench.config.secret_sources import KEY_KEYS, read_key, read_variable
from jivsbench.config.transforms import read_transforms
from jivsbench.config.urls import URL_KEYS, check_url, read_url, scheme_of
from jivsbench.errors import UnknownNameError
from jivsbench.model.profile import PROFILES, Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource, TypePolicy
from jivsbench.model.transform import Transform

CONFIG_FILENAME: Final = "jivsbench.toml"
DEFAULT_SOURCE_NAME: Final = "main"
PLUGINS_LOCK_FILENAME: Final = "plugins.lock"
DEFAULT_REPORTS_DIR: Final = Path("reports")

SECTION_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "source": ("name", *URL_KEYS, "connector", "type_policy", "tables"),
    "cache": URL_KEYS,
    "metadata": URL_KEYS,
    "reports": ("dir",),
    "plugins": ("modules", "disable"),
    "masking": KEY_KEYS,
    "credentials": KEY_KEYS,
    "outbound": ("allow",),
}


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the flags of a command say; None or empty where they say nothing. Plugins are added to those of the file."""

    source_url: Secret | None = None
    cache_url: Secret | None = None
    metadata_url: Secret | None = None
    reports_dir: Path | None = None
    plugins: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command works with. A source, cache or job store that is None is for the command to choose.

    A source whose `connector` is empty is opened by the connector of its URL's scheme.
    """

    source: DataSource | None = None
    cache_url: Secret | None = None
    metadata_url: Secret | None = None
    reports_dir: Path = DEFAULT_REPORTS_DIR
    plugins: tuple[str, ...] = ()
    """Dotted names of modules that are loaded as plugins besides the installed ones."""
    disabled_plugins: tuple[str, ...] = ()
    profiles: tuple[Profile, ...] = PROFILES
    """The built-in profiles first, then those of the file."""
    transforms: tuple[Transform, ...] = ()
    """What the command `extract` does to rows."""
    mask_key: Secret | None = None
    """Of masks by digest."""
    credential_key: Secret | None = None
    """Encrypts the URLs of data sources that are added to a service."""
    destinations: tuple[str, ...] | None = None
    """Where connectors of a service may connect to; None: anywhere but to link-local addresses."""
    admin_token: Secret | None = None
    """Of role ADMIN, for `serve`."""
    plugins_lock_path: Path = Path(PLUGINS_LOCK_FILENAME)
    """Where the list of allowed plugins is, or would be."""

    @property
    def plugins_lock(self) -> Path | None:
        """The list of allowed plugins; None when there is no such file, and all may be loaded."""
        # Also a link that leads nowhere is a lock: one that cannot be read allows nothing.
        return self.plugins_lock_path.absolute() if os.path.lexists(self.plugins_lock_path) else None


def find_config(folder: Path) -> Path | None:
    """The configuration file of a folder, if it has one."""
    path = folder / CONFIG_FILENAME
    return path if path.exists() else None


def load_settings(path: Path | None, env: Mapping[str, str], overrides: Overrides | None = None) -> Settings:
    """Settings from a file (None: no file), overridden by the environment, overridden by flags. Raises ConfigError."""
    flags = _merge(overrides or Overrides(), _read_environment(env))
    root = (read_document(path) if path is not None else Document(Path(CONFIG_FILENAME), "", {})).root
    root.expect((*SECTION_KEYS, "profiles", "transforms"))
    sections = {name: root.section(name) for name in SECTION_KEYS}
    for name, section in sections.items():
        section.expect(SECTION_KEYS[name])
    reports_dir = sections["reports"].text("dir")
    plugins = sections["plugins"]
    return Settings(
        source=_read_source(sections["source"], "source" in root, env, flags.source_url),
        cache_url=flags.cache_url or _read_server(root, sections["cache"], "cache", env),
        metadata_url=flags.metadata_url or _read_server(root, sections["metadata"], "metadata", env),
        reports_dir=flags.reports_dir or (root.folder / Path(reports_dir).expanduser() if reports_dir else DEFAULT_REPORTS_DIR),
        plugins=_unique((*(plugins.texts("modules") or ()), *flags.plugins)),
        disabled_plugins=_unique((*(plugins.texts("disable") or ()), *flags.disabled_plugins)),
        profiles=read_profiles(root.section("profiles")),
        transforms=read_transforms(root.sections("transforms")),
        mask_key=read_key(sections["masking"], env, "JIVSBENCH_MASKING_KEY"),
        credential_key=read_key(sections["credentials"], env, "JIVSBENCH_CREDENTIAL_KEY"),
        plugins_lock_path=root.folder / PLUGINS_LOCK_FILENAME,
        destinations=_read_destinations(sections["outbound"], "outbound" in root),
        admin_token=_secret_of(env, "JIVSBENCH_ADMIN_TOKEN"),
    )


def _read_environment(env: Mapping[str, str]) -> Overrides:
    """What the JIVSBENCH_ variables say. An empty variable says nothing."""

    def url(name: str) -> Secret | None:
        text = read_variable(env, name)
        return check_url(text, name) if text else None

    reports_dir = env.get("JIVSBENCH_REPORTS_DIR")
    disabled = env.get("JIVSBENCH_DISABLE_PLUGINS", "").split(",")
    return Overrides(
        source_url=url("JIVSBENCH_SOURCE_URL"),
        cache_url=url("JIVSBENCH_CACHE_URL"),
        metadata_url=url("JIVSBENCH_METADATA_URL"),
        reports_dir=Path(reports_dir) if reports_dir else None,
        disabled_plugins=tuple(name.strip() for name in disabled if name.strip()),
    )


def _merge(flags: Overrides, env: Overrides) -> Overrides:
    for url, origin in ((flags.source_url, "source"), (flags.cache_url, "cache"), (flags.metadata_url, "metadata")):
        if url is not None:
            check_url(url.reveal(), f"the {origin} URL that was given")
    return replace(
        flags,
        source_url=flags.source_url or env.source_url,
        cache_url=flags.cache_url or env.cache_url,
        metadata_url=flags.metadata_url or env.metadata_url,
        reports_dir=flags.reports_dir or env.reports_dir,
        disabled_plugins=(*flags.disabled_plugins, *env.disabled_plugins),
    )


def _read_source(section: Section, is_given: bool, env: Mapping[str, str], url: Secret | None) -> DataSource | None:  # noqa: FBT001 - an empty [source] is a mistake, none is not
    if not is_given and url is None:
        return None
    name = section.text("name") or DEFAULT_SOURCE_NAME
    if not NAME.fullmatch(name):
        section.fail("name", NAME_RULE)
    tables = section.texts("tables")
    if tables == ():
        section.fail("tables", "it allows no table: name those that may be read, or leave it out for all")
    connector = section.text("connector") or ""
    if url is None:
        url = read_url(section, env)
        if url is None:
            section.fail(None, "it has no 'url': add url, url_file or url_keyring, or set JIVSBENCH_SOURCE_URL")
    elif connector and not _is_same_scheme(section, url):
        # The connector was chosen for the URL that is replaced.
        connector = ""
    return DataSource(name, connector, url, _read_type_policy(section), tables)


def _is_same_scheme(section: Section, url: Secret) -> bool:
    replaced = section.text("url")
    return replaced is None or replaced.startswith("${") or scheme_of(Secret(replaced)) == scheme_of(url)


def _read_type_policy(section: Section) -> TypePolicy:
    policy = section.text("type_policy") or TypePolicy.ERROR.value
    if policy not in tuple(TypePolicy):
        section.fail("type_policy", str(UnknownNameError.among("type policy", policy, tuple(TypePolicy))))
    return TypePolicy(policy)


def _read_server(root: Section, section: Section, name: str, env: Mapping[str, str]) -> Secret | None:
    url = read_url(section, env)
    if url is None and name in root:
        section.fail(None, f"it has no 'url': add url or url_file, or leave [{name}] out")
    return url


def _read_destinations(section: Section, is_given: bool) -> tuple[str, ...] | None:  # noqa: FBT001 - as for the source
    allowed = section.texts("allow")
    if is_given and not allowed:
        section.fail("allow" if allowed is not None else None, "it allows no destination: name one, or leave [outbound] out")
    return allowed


def _secret_of(env: Mapping[str, str], name: str) -> Secret | None:
    text = read_variable(env, name)
    return Secret(text) if text else None


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
