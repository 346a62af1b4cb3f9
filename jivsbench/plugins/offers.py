"""Asks each plugin what it offers, and refuses what the host could not use, before anything is started."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

import pluggy

from jivsbench.errors import DuplicateNameError, PluginLoadError
from jivsbench.plugins.loading import DISABLE_VARIABLE, LoadedPlugin, format_exception


class Seam(Enum):
    """What a register hook offers: its noun, the attribute that names it, its texts, its tuples of text, its methods."""

    CONNECTOR = ("connector", "name", ("name",), ("schemes",), ("connect",))
    CACHE = ("cache", "name", ("name",), ("schemes",), ("open",))
    GUARD = ("guard", "name", ("name",), (), ("review",))
    CHECK = ("check", "id", ("id", "title"), (), ("run",))
    WORKLOAD = ("workload", "name", ("name",), ("operations",), ("iterate",))
    REPORTER = ("reporter", "name", ("name", "filename"), (), ("render",))

    def __init__(
        self, noun: str, identity: str, texts: tuple[str, ...], tuples: tuple[str, ...], methods: tuple[str, ...]
    ) -> None:
        self.noun = noun
        self.identity = identity
        self.texts = texts
        self.tuples = tuples
        self.methods = methods

    @property
    def hook(self) -> str:
        """The register hook of this seam."""
        return f"jivsbench_register_{self.noun}s"


@dataclass(frozen=True, slots=True)
class Offer:
    """One object that a plugin offers, checked to have what its seam needs."""

    seam: Seam
    name: str
    plugin: LoadedPlugin
    offered: object


_ABSENT: Final = object()


def collect_offers(manager: pluggy.PluginManager, loaded: tuple[LoadedPlugin, ...]) -> tuple[Offer, ...]:
    """Call every register hook of every plugin. Raises PluginLoadError and DuplicateNameError."""
    offers = tuple(offer for plugin in loaded for seam in Seam for offer in _ask(manager, loaded, plugin, seam))
    _check_unique(offers, lambda offer: (offer.seam, offer.name), lambda offer: f"{offer.seam.noun}s are called {offer.name!r}")
    _check_unique(
        (offer for offer in offers if offer.seam is Seam.REPORTER),
        lambda offer: getattr(offer.offered, "filename", ""),
        lambda offer: f"reporters write {getattr(offer.offered, 'filename', '')!r}",
    )
    return offers


def call_only(
    manager: pluggy.PluginManager, loaded: Iterable[LoadedPlugin], plugin: LoadedPlugin, hook: str
) -> pluggy.HookCaller:
    """A hook that reaches one plugin alone."""
    others = [other.plugin for other in loaded if other is not plugin]
    return manager.subset_hook_caller(hook, remove_plugins=others)


def _ask(manager: pluggy.PluginManager, loaded: tuple[LoadedPlugin, ...], plugin: LoadedPlugin, seam: Seam) -> Iterator[Offer]:
    if not hasattr(plugin.plugin, seam.hook):
        return
    caller = call_only(manager, loaded, plugin, seam.hook)
    try:
        answers = caller()
        offered = [thing for answer in answers for thing in answer]
    except (Exception, SystemExit) as exc:
        raise PluginLoadError(f"plugin {plugin.label} raised {format_exception(exc)} in {seam.hook}") from exc
    if not answers and any(not (impl.hookwrapper or impl.wrapper) for impl in caller.get_hookimpls()):
        raise PluginLoadError(f"plugin {plugin.label} returned None from {seam.hook}: return a list, empty if it offers none")
    for thing in offered:
        yield Offer(seam, _check_offer(plugin, seam, thing), plugin, thing)


def _check_offer(plugin: LoadedPlugin, seam: Seam, thing: object) -> str:
    """The name of what is offered, once it is sure to have all that its seam needs."""
    kind = type(thing).__name__
    if isinstance(thing, type):
        raise PluginLoadError(
            f"plugin {plugin.label} offers the class {thing.__name__} as a {seam.noun}: return an instance, {thing.__name__}()"
        )
    for attribute in seam.texts:
        if not _is_text(_read(plugin, thing, attribute)):
            raise PluginLoadError(f"plugin {plugin.label} offers a {seam.noun} ({kind}) whose {attribute!r} is no text")
    for attribute in seam.tuples:
        value = _read(plugin, thing, attribute)
        if not (isinstance(value, tuple) and all(_is_text(text) for text in value)):
            raise PluginLoadError(f"plugin {plugin.label} offers a {seam.noun} ({kind}) whose {attribute!r} is no tuple of texts")
    for attribute in seam.methods:
        if not callable(_read(plugin, thing, attribute)):
            raise PluginLoadError(f"plugin {plugin.label} offers a {seam.noun} ({kind}) without a method {attribute!r}")
    return str(_read(plugin, thing, seam.identity))


def _read(plugin: LoadedPlugin, thing: object, attribute: str) -> object:
    try:
        return getattr(thing, attribute, _ABSENT)
    except Exception as exc:
        raise PluginLoadError(
            f"plugin {plugin.label} offers a {type(thing).__name__} whose {attribute!r} raised {format_exception(exc)}"
        ) from exc


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _check_unique(offers: Iterable[Offer], key: Callable[[Offer], object], describe: Callable[[Offer], str]) -> None:
    seen: dict[object, Offer] = {}
    for offer in offers:
        other = seen.setdefault(key(offer), offer)
        if other is offer:
            continue
        if other.plugin is offer.plugin:
            raise DuplicateNameError(f"two {describe(offer)}, both by plugin {offer.plugin.label}: it must rename one")
        raise DuplicateNameError(
            f"two {describe(offer)} (plugin {other.plugin.label}, plugin {offer.plugin.label}): "
            f"disable one with {DISABLE_VARIABLE}={offer.plugin.name}"
        )
