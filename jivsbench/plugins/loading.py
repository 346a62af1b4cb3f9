"""Builds a plugin manager. Nothing is loaded at import, and no manager outlives the call that asked for it.

A plugin that cannot be loaded is an error with its name in it, never a plugin less: a guard that silently stays away
is worse than a command that does not start.
"""

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pluggy

from jivsbench.errors import DuplicateNameError, PluginLoadError, UnknownNameError
from jivsbench.plugins.candidates import MODULE_ORIGIN, Candidate, find_installed, find_modules, format_label
from jivsbench.plugins.locking import check_lock

DISABLE_VARIABLE: Final = "JIVSBENCH_DISABLE_PLUGINS"


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin that is registered, and the distribution it came with; `module` for one that was named by its module."""

    name: str
    origin: str
    version: str
    plugin: object = field(repr=False, compare=False)

    @property
    def label(self) -> str:
        """How messages name it: plugin, distribution, version."""
        return format_label(self.name, self.origin, self.version)


def build_plugin_manager(
    *,
    extra_modules: Sequence[str] = (),
    disabled: Collection[str] = (),
    entry_points: bool = True,
    plugins_lock: Path | None = None,
) -> pluggy.PluginManager:
    """A manager with the hook specifications and every plugin that is installed, or named by its dotted module name.

    `disabled` holds names of plugins or of distributions. With `plugins_lock` nothing is imported that it does not allow.
    Raises PluginLoadError, DuplicateNameError, UnknownNameError, and ConfigError for a lock that cannot be read.
    """
    return load_plugins(extra_modules=extra_modules, disabled=disabled, entry_points=entry_points, plugins_lock=plugins_lock)[0]


def load_plugins(
    *,
    extra_modules: Sequence[str] = (),
    disabled: Collection[str] = (),
    entry_points: bool = True,
    plugins_lock: Path | None = None,
) -> tuple[pluggy.PluginManager, tuple[LoadedPlugin, ...]]:
    """The manager of `build_plugin_manager`, and where each of its plugins comes from."""
    from jivsbench.api.hookspecs import PROJECT, HookSpecs

    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HookSpecs)
    wanted = find_wanted(extra_modules=extra_modules, disabled=disabled, entry_points=entry_points)
    if plugins_lock is not None:
        check_lock(plugins_lock, wanted)
    loaded = tuple(plugin for candidate in wanted if (plugin := _register(manager, candidate)) is not None)
    _check_hooks(manager, loaded)
    return manager, loaded


def find_wanted(
    *, extra_modules: Sequence[str] = (), disabled: Collection[str] = (), entry_points: bool = True
) -> tuple[Candidate, ...]:
    """The plugins that would be loaded; nothing of them is imported. Raises DuplicateNameError and UnknownNameError."""
    found = [*(find_installed() if entry_points else ()), *find_modules(extra_modules)]
    if entry_points:
        # Only then is every plugin in sight that a name could mean.
        _check_disabled(disabled, found)
    wanted = tuple(candidate for candidate in found if not candidate.is_named_by(disabled))
    _check_names(wanted)
    return wanted


def list_hooks(manager: pluggy.PluginManager, plugin: LoadedPlugin) -> tuple[str, ...]:
    """Names of the hooks that a plugin implements, sorted."""
    return tuple(sorted(caller.name for caller in manager.get_hookcallers(plugin.plugin) or ()))


def _check_disabled(disabled: Collection[str], found: Sequence[Candidate]) -> None:
    """A misspelled name would leave the plugin running that somebody meant to turn off."""
    for name in disabled:
        if not any(candidate.is_named_by([name]) for candidate in found):
            known = {candidate.name for candidate in found} | {candidate.origin for candidate in found}
            raise UnknownNameError.among(f"plugin that {DISABLE_VARIABLE} could disable", name, known - {MODULE_ORIGIN})


def _check_names(candidates: Iterable[Candidate]) -> None:
    seen: dict[str, Candidate] = {}
    for candidate in candidates:
        other = seen.setdefault(candidate.name, candidate)
        if other is not candidate:
            raise DuplicateNameError(
                f"two plugins are called {candidate.name!r} ({other.origin} {other.version}, {candidate.origin} "
                f"{candidate.version}): disable one by its distribution's name, {DISABLE_VARIABLE}={candidate.origin}"
            )


def _register(manager: pluggy.PluginManager, candidate: Candidate) -> LoadedPlugin | None:
    try:
        plugin = candidate.load()
    except (Exception, SystemExit) as exc:
        raise PluginLoadError(
            f"plugin {candidate.label} raised {format_exception(exc)} when it was imported: "
            f"repair it, or disable it with {DISABLE_VARIABLE}={candidate.name}"
        ) from exc
    if manager.is_registered(plugin):
        # A module that is installed as a plugin and also named as one is one plugin, not two.
        return None
    try:
        manager.register(plugin, name=candidate.name)
    except Exception as exc:
        reason = f": {_first_line(exc)}" if isinstance(exc, pluggy.PluginValidationError) else ""
        raise PluginLoadError(f"plugin {candidate.label} cannot be registered ({type(exc).__name__}{reason})") from exc
    if candidate.origin != MODULE_ORIGIN:
        return LoadedPlugin(candidate.name, candidate.origin, candidate.version, plugin)
    return LoadedPlugin(candidate.name, MODULE_ORIGIN, str(getattr(plugin, "__version__", "unknown")), plugin)


def _check_hooks(manager: pluggy.PluginManager, loaded: Iterable[LoadedPlugin]) -> None:
    specified = sorted(name for name, caller in vars(manager.hook).items() if caller.has_spec())
    for plugin in loaded:
        implemented = list_hooks(manager, plugin)
        unmarked = [name for name in specified if name not in implemented and callable(getattr(plugin.plugin, name, None))]
        if unmarked:
            raise PluginLoadError(f"plugin {plugin.label} defines {unmarked[0]!r} without @hookimpl: mark it, or rename it")
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as exc:
        raise PluginLoadError(_explain_unknown_hook(manager, loaded, specified)) from exc


def _explain_unknown_hook(manager: pluggy.PluginManager, loaded: Iterable[LoadedPlugin], specified: Sequence[str]) -> str:
    plugin, hook = next((plugin, name) for plugin in loaded for name in list_hooks(manager, plugin) if name not in specified)
    near = difflib.get_close_matches(hook, specified, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the hooks are {', '.join(specified)}"
    return f"plugin {plugin.label} implements the hook {hook!r}, which does not exist: {hint}"


def format_exception(exc: BaseException) -> str:
    """The class alone, since a message may hold anything; for a missing module its name too."""
    name = exc.name if isinstance(exc, ImportError) else None
    return f"{type(exc).__name__} ({name})" if name else type(exc).__name__


def _first_line(exc: pluggy.PluginValidationError) -> str:
    """What pluggy says of the signature, without the plugin's path in between."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "hookimpl" in line or "Argument" in line), lines[-1])
