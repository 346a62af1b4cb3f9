"""Plugins that were found and not loaded yet: none of their code has run."""

import importlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Final

ENTRY_POINT_GROUP: Final = "jivsbench"
MODULE_ORIGIN: Final = "module"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plugin that could be loaded. `module` is the module to import, `origin` its distribution, or `module` for none."""

    name: str
    origin: str
    version: str
    module: str
    load: Callable[[], object]

    @property
    def label(self) -> str:
        """How messages name it: plugin, distribution, version."""
        return format_label(self.name, self.origin, self.version)

    def is_named_by(self, names: Collection[str]) -> bool:
        """True when the plugin, or the distribution that brings it, is among `names`."""
        return self.name in names or _normalize(self.origin) in {_normalize(name) for name in names}


def find_installed() -> Iterator[Candidate]:
    """What installed distributions offer as plugins, by name."""
    for point in sorted(metadata.entry_points(group=ENTRY_POINT_GROUP), key=lambda found: found.name):
        origin, version = (point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")
        yield Candidate(point.name, origin, version, point.module, point.load)


def find_modules(names: Iterable[str]) -> Iterator[Candidate]:
    """What was named by its module."""
    for name in dict.fromkeys(names):
        yield Candidate(name, MODULE_ORIGIN, "unknown", name, lambda name=name: importlib.import_module(name))  # type: ignore[misc]


def format_label(name: str, origin: str, version: str) -> str:
    """How messages name a plugin."""
    return f"{name!r} (module)" if origin == MODULE_ORIGIN else f"{name!r} of {origin} {version}"


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
