"""Options that several commands share, and how they become settings."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from jivsbench.config import Overrides, Settings, find_config, load_settings
from jivsbench.errors import UsageError
from jivsbench.model.host import is_host
from jivsbench.model.secret import Secret
from jivsbench.plugins import Registry, load_registry

_Command = TypeVar("_Command", bound=Callable[..., Any])


def source_options(command: _Command) -> _Command:
    """--source-url, --cache-url."""
    command = click.option(
        "--cache-url", help="Redis or Valkey to cache metadata in. Default: the configuration, else embedded."
    )(command)
    return click.option("--source-url", help="Database to extract from. Default: the configuration, else embedded PostgreSQL.")(
        command
    )


def reports_option(command: _Command) -> _Command:
    """--reports-dir."""
    return click.option("--reports-dir", type=click.Path(file_okay=False), help="Folder for runs. Default: reports.")(command)


def json_option(command: _Command) -> _Command:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def suppressions_option(command: _Command) -> _Command:
    """--suppressions."""
    kind = click.Path(dir_okay=False, path_type=Path)
    return click.option("--suppressions", type=kind, help="TOML file of findings that somebody answers for until a day.")(command)


def advisories_option(command: _Command) -> _Command:
    """--advisories."""
    kind = click.Path(exists=True, path_type=Path)
    return click.option("--advisories", multiple=True, type=kind, help="OSV file, folder or zip. May be given again.")(command)


def read_settings(
    ctx: click.Context, *, source_url: str | None = None, cache_url: str | None = None, reports_dir: str | None = None
) -> Settings:
    """Settings from the file, the environment and the command's own options, in that order of rising strength."""
    named = ctx.find_root().params.get("config")
    path = Path(named) if named else find_config(Path())
    overrides = Overrides(
        source_url=Secret(source_url) if source_url else None,
        cache_url=Secret(cache_url) if cache_url else None,
        reports_dir=Path(reports_dir) if reports_dir else None,
    )
    return load_settings(path, os.environ, overrides)


def read_registry(settings: Settings) -> Registry:
    """Every plugin that the settings allow."""
    return load_registry(extra_modules=settings.plugins, disabled=settings.disabled_plugins, plugins_lock=settings.plugins_lock)


def require_address(text: str) -> str:
    """An address that others can reach. Raises UsageError for one that means "all of mine", which nobody can connect to."""
    # The master's port is looked for by IPv4 alone.
    if text == "0.0.0.0" or ":" in text or not is_host(text):  # noqa: S104 - compared, not bound
        raise UsageError(
            f"--master-bind {text!r} is no address that load machines could reach: name one of this machine's own, "
            "its name or its IPv4 address alone"
        )
    return text
