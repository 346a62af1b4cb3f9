"""`plugins.lock`: the plugins that may be loaded, by name, distribution, version and hash of their files.

Looked at before any plugin is imported, because importing is running. Without the file every installed plugin is loaded.
What a lock does not cover: the libraries that a plugin imports, and compiled files (`__pycache__`), which Python prefers to
sources of the same age; whoever can write those can change jivsbench itself.
"""

import functools
import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from jivsbench.errors import ConfigError, PluginLoadError
from jivsbench.plugins.candidates import MODULE_ORIGIN, Candidate
from jivsbench.plugins.package_files import PackageFiles, find_package

_FORMAT: Final = 1
_AGAIN: Final = "look at what has changed, then lock again with `jivsbench plugins lock`"
_HEAD: Final = """\
# The plugins that jivsbench may load: made by `jivsbench plugins lock`, looked at before any of them is imported.
"""


@dataclass(frozen=True, slots=True)
class LockedPlugin:
    """One plugin that may be loaded; `sha256` is that of all files of its package, names included."""

    name: str
    distribution: str
    version: str
    sha256: str


def lock(candidates: Sequence[Candidate]) -> tuple[LockedPlugin, ...]:
    """What these plugins are now. Raises PluginLoadError for one whose files cannot be found."""
    hash_once = functools.cache(_hash_files)
    found = [LockedPlugin(one.name, one.origin, one.version, hash_once(_find_files(one))) for one in candidates]
    return tuple(sorted(found, key=lambda plugin: plugin.name))


def format_lock(plugins: Sequence[LockedPlugin]) -> str:
    """The text of `plugins.lock`."""
    # A JSON text is a TOML text as well.
    tables = ["\n".join(f"{key} = {json.dumps(value)}" for key, value in asdict(plugin).items()) for plugin in plugins]
    return "\n".join([_HEAD, f"format = {_FORMAT}\n", *(f"[[plugin]]\n{table}\n" for table in tables)])


def parse_lock(text: str, place: str) -> tuple[LockedPlugin, ...]:
    """The plugins of a lock. Raises ConfigError for anything that is not exactly one: an unclear lock allows nothing."""
    try:
        values = tomllib.loads(text)
        if set(values) - {"format", "plugin"} or values["format"] != _FORMAT:
            raise ConfigError(f"{place} is not of format {_FORMAT}: make it again with `jivsbench plugins lock`")
        return tuple(LockedPlugin(**{key: str(value) for key, value in table.items()}) for table in values.get("plugin", []))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(f"{place} cannot be read as a list of plugins: make it again with `jivsbench plugins lock`") from exc


def check_lock(path: Path, candidates: Sequence[Candidate]) -> None:
    """Raises PluginLoadError unless exactly the locked plugins are there, each as it was; ConfigError without a readable lock."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read, so no plugin is loaded: make it again with `jivsbench plugins lock`") from exc
    locked = {plugin.name: plugin for plugin in parse_lock(text, str(path))}
    # For as long as this call: the files may be others the next time.
    hash_once = functools.cache(_hash_files)
    verified = set()
    for candidate in (one for one in candidates if one.name in locked):
        package = _find_files(candidate)
        _compare(candidate, locked[candidate.name], hash_once(package), path)
        verified.add(package)
    for candidate in (one for one in candidates if one.name not in locked):
        # A module named besides is as good as the package that it lies in.
        if candidate.origin != MODULE_ORIGIN or find_package(candidate.module) not in verified:
            raise PluginLoadError(f"plugin {candidate.label} is not in {path}, so it is not loaded: remove it, or {_AGAIN}")
    missing = sorted(set(locked) - {candidate.name for candidate in candidates})
    if missing:
        raise PluginLoadError(f"plugin {missing[0]!r} is in {path} and not installed, or disabled: install it, or {_AGAIN}")


def _compare(candidate: Candidate, locked: LockedPlugin, sha256: str, path: Path) -> None:
    for what, wanted, found in (
        ("distribution", locked.distribution, candidate.origin),
        ("version", locked.version, candidate.version),
        ("hash", locked.sha256, sha256),
    ):
        if wanted != found:
            raise PluginLoadError(
                f"plugin {candidate.label} is not the one in {path}, so it is not loaded (its {what} is {found}, "
                f"{wanted} is locked): {_AGAIN}"
            )


def _hash_files(package: PackageFiles) -> str:
    whole = hashlib.sha256()
    for name, path in sorted(package):
        with path.open("rb") as file:
            # Names cannot hold NUL, and a digest has one length: no two trees give the same bytes.
            whole.update(name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _find_files(candidate: Candidate) -> PackageFiles:
    package = find_package(candidate.module)
    if package is None:
        raise PluginLoadError(
            f"the files of plugin {candidate.label} cannot be found, so it cannot be locked: install it as files"
        )
    return package
