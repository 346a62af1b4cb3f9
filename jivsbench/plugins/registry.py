"""What the loaded plugins offer, as one frozen value. Every other part asks here, by name, and never sees pluggy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from jivsbench.errors import ConfigError, DuplicateNameError, UnknownNameError
from jivsbench.model.record import PluginFacts
from jivsbench.plugins.loading import format_exception, list_hooks, load_plugins
from jivsbench.plugins.offers import Offer, Seam, call_only, collect_offers

if TYPE_CHECKING:
    # The protocols bring Arrow along, which no command needs only to say what is installed.
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    import pluggy

    from jivsbench.api.checks import SecurityCheck
    from jivsbench.api.protocols import Cache, Connector, Guard, Reporter
    from jivsbench.api.workloads import Workload
    from jivsbench.model.record import RunRecord
    from jivsbench.model.secret import Secret
    from jivsbench.model.summary import Summary, Verdict
    from jivsbench.plugins.loading import LoadedPlugin


@dataclass(frozen=True, slots=True)
class RunListener:
    """A plugin that wants to be told when a run has ended."""

    plugin: str
    notify: Callable[..., object]


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that plugins offer, each kind sorted by name (checks by id)."""

    connectors: tuple[Connector, ...]
    caches: tuple[Cache, ...]
    guards: tuple[Guard, ...]
    checks: tuple[SecurityCheck, ...]
    workloads: tuple[Workload, ...]
    reporters: tuple[Reporter, ...]
    plugins: tuple[PluginFacts, ...]
    listeners: tuple[RunListener, ...] = field(default=(), repr=False)

    def connector(self, name: str) -> Connector:
        """The connector of that name. Raises UnknownNameError."""
        return _find("connector", self.connectors, name)

    def connector_for_url(self, url: Secret) -> Connector:
        """The connector that opens URLs of that scheme. Raises UnknownNameError, and DuplicateNameError when several do."""
        return _find_by_scheme("connector", self.connectors, url, "name it with `connector` under [source]")

    def cache(self, name: str) -> Cache:
        """The cache of that name. Raises UnknownNameError."""
        return _find("cache", self.caches, name)

    def cache_for_url(self, url: Secret) -> Cache:
        """The cache that opens URLs of that scheme. Raises UnknownNameError, and DuplicateNameError when several do."""
        return _find_by_scheme("cache", self.caches, url, "disable one of their plugins")

    def check(self, check_id: str) -> SecurityCheck:
        """The security check of that id. Raises UnknownNameError."""
        for check in self.checks:
            if check.id == check_id:
                return check
        raise UnknownNameError.among("security check", check_id, [check.id for check in self.checks])

    def workload(self, name: str) -> Workload:
        """The workload of that name. Raises UnknownNameError."""
        return _find("workload", self.workloads, name)

    def notify_run_finished(self, record: RunRecord, summary: Summary, verdict: Verdict) -> tuple[str, ...]:
        """Tell every plugin that wants to know. Returns a line for each plugin that raised: it cannot spoil the run."""
        problems = []
        for listener in self.listeners:
            try:
                listener.notify(record=record, summary=summary, verdict=verdict)
            except Exception as exc:  # noqa: BLE001 - somebody else's code, after the run: reported, never fatal
                problems.append(f"plugin {listener.plugin} raised {format_exception(exc)} in jivsbench_run_finished")
        return tuple(problems)


def load_registry(
    *,
    extra_modules: Sequence[str] = (),
    disabled: Collection[str] = (),
    entry_points: bool = True,
    plugins_lock: Path | None = None,
) -> Registry:
    """Load every plugin that may be loaded and ask it what it offers.

    Raises PluginLoadError, DuplicateNameError, UnknownNameError, and ConfigError for a lock that cannot be read.
    """
    manager, loaded = load_plugins(
        extra_modules=extra_modules, disabled=disabled, entry_points=entry_points, plugins_lock=plugins_lock
    )
    offers = collect_offers(manager, loaded)
    return Registry(
        connectors=cast("tuple[Connector, ...]", _select(offers, Seam.CONNECTOR)),
        caches=cast("tuple[Cache, ...]", _select(offers, Seam.CACHE)),
        guards=cast("tuple[Guard, ...]", _select(offers, Seam.GUARD)),
        checks=cast("tuple[SecurityCheck, ...]", _select(offers, Seam.CHECK)),
        workloads=cast("tuple[Workload, ...]", _select(offers, Seam.WORKLOAD)),
        reporters=cast("tuple[Reporter, ...]", _select(offers, Seam.REPORTER)),
        plugins=tuple(sorted((_state_facts(manager, plugin, offers) for plugin in loaded), key=lambda facts: facts.name)),
        listeners=tuple(_find_listeners(manager, loaded)),
    )


def _select(offers: Iterable[Offer], seam: Seam) -> tuple[object, ...]:
    chosen = sorted((offer for offer in offers if offer.seam is seam), key=lambda offer: offer.name)
    return tuple(offer.offered for offer in chosen)


def _state_facts(manager: pluggy.PluginManager, plugin: LoadedPlugin, offers: Iterable[Offer]) -> PluginFacts:
    offered = sorted(f"{offer.seam.noun} {offer.name}" for offer in offers if offer.plugin is plugin)
    return PluginFacts(plugin.name, plugin.version, plugin.origin, list_hooks(manager, plugin), tuple(offered))


def _find_listeners(manager: pluggy.PluginManager, loaded: tuple[LoadedPlugin, ...]) -> Iterable[RunListener]:
    hook = "jivsbench_run_finished"
    for plugin in loaded:
        if hook in list_hooks(manager, plugin):
            yield RunListener(plugin.label, call_only(manager, loaded, plugin, hook))


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Opener(_Named, Protocol):
    @property
    def schemes(self) -> tuple[str, ...]: ...


_N = TypeVar("_N", bound=_Named)
_O = TypeVar("_O", bound=_Opener)


def _find(noun: str, things: Iterable[_N], name: str) -> _N:
    named = {thing.name: thing for thing in things}
    if name not in named:
        raise UnknownNameError.among(noun, name, named)
    return named[name]


def _find_by_scheme(noun: str, things: Iterable[_O], url: Secret, advice: str) -> _O:
    scheme, separator, _ = url.reveal().partition("://")
    if not separator or not scheme.replace("+", "").replace("-", "").replace(".", "").isalnum():
        # Without its separator nothing says which part of the text is a password, so none of it is shown.
        raise ConfigError(f"the {noun}'s URL has no scheme: write it as scheme://host/...")
    things = tuple(things)
    fitting = [thing for thing in things if scheme.lower() in thing.schemes]
    if not fitting:
        known = {known for thing in things for known in thing.schemes}
        raise UnknownNameError.among(f"{noun}'s URL scheme", scheme.lower(), known)
    if len(fitting) > 1:
        names = ", ".join(thing.name for thing in fitting)
        raise DuplicateNameError(f"{len(fitting)} {noun}s open {scheme.lower()}:// URLs ({names}): {advice}")
    return fitting[0]
