"""What a target is made of, as files: the real thing, or with what a control plants in it."""

import functools
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import jivsbench
from jivsbench.api import PROJECT, Installation
from jivsbench.app.servers import Workbench
from jivsbench.config import CONFIG_FILENAME, Settings
from jivsbench.plugins import find_wanted

_CONFIGURATIONS: Final = (CONFIG_FILENAME, ".env", "compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_LOCKS: Final = ("uv.lock", "requirements.txt")


def describe_installation(bench: Workbench, advisories: Sequence[Path] = ()) -> Installation:
    """This environment, the sources of host and plugins, and the configuration of the folder that plugins.lock would be in."""
    folder = bench.settings.plugins_lock_path.parent
    return Installation(
        packages=list_package_folders(),
        sources=(Path(jivsbench.__file__).parent, *_list_plugin_folders(bench.settings)),
        configurations=_find(folder, _CONFIGURATIONS),
        locks=_find(folder, _LOCKS),
        advisories=tuple(advisories),
    )


def list_package_folders() -> tuple[Path, ...]:
    """The folders of this environment that hold installed distributions."""
    paths = sysconfig.get_paths()
    return tuple(dict.fromkeys((Path(paths["purelib"]), Path(paths["platlib"]))))


def plant_installation(real: Installation, places: Sequence[str], folder: Path) -> Installation:
    """The real installation, with what the named functions plant in place of it."""
    planted = [_find_function(place)(Path(tempfile.mkdtemp(prefix="planted-", dir=folder))) for place in places]
    whole = functools.reduce(_add, planted, Installation())
    return replace(real, **{one.name: getattr(whole, one.name) for one in fields(Installation) if getattr(whole, one.name)})


def _add(left: Installation, right: Installation) -> Installation:
    return Installation(*((*getattr(left, one.name), *getattr(right, one.name)) for one in fields(Installation)))


def _find_function(place: str) -> Callable[[Path], Installation]:
    module, _, name = place.partition(":")
    function: Callable[[Path], Installation] = getattr(import_module(module), name)
    return function


def _find(folder: Path, names: Sequence[str]) -> tuple[Path, ...]:
    return tuple(folder / name for name in names if (folder / name).is_file())


def _list_plugin_folders(settings: Settings) -> tuple[Path, ...]:
    """Of each plugin the outermost package, or its one module, without importing it; none for the host's own."""
    wanted = find_wanted(extra_modules=settings.plugins, disabled=settings.disabled_plugins)
    specs = [find_spec(package) for package in dict.fromkeys(plugin.package for plugin in wanted) if package != PROJECT]
    # A namespace package has no file of its own, and a module no folder: beside it lies everything else that is installed.
    found = [spec.submodule_search_locations or filter(None, [spec.origin]) for spec in specs if spec is not None]
    return tuple(Path(place) for places in found for place in places)
