"""`doctor`: looks at everything that a run would use, and says what is missing."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jivsbench.app.data import count_rows, find_excess_privileges, test_source
from jivsbench.app.servers import named_source
from jivsbench.config import Settings
from jivsbench.dataset import TABLE
from jivsbench.embedded import find_postgres_programs, find_valkey_program
from jivsbench.errors import JivsbenchError, MissingObjectError, OutputError
from jivsbench.model.secret import format_url_without_secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import Registry

_FREE_BYTES: Final = 2 * 2**30
_CACHE_TIMEOUT_S: Final = 2.0
_MOST_TOLD: Final = 5
_GRANTS: Final = {
    True: "its user can write: an extraction account should only read",
    False: "its user can only read",
    None: "not known: this source does not tell whether its user can write; give it one that can only read",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at. `is_fatal` when no run can succeed like this."""

    subject: str
    is_good: bool
    is_fatal: bool
    found: str
    remedies: tuple[str, ...] = ()
    """Statements that would mend it, to be run by somebody who may."""


def diagnose(settings: Settings, registry: Registry) -> Iterator[Diagnosis]:
    """Look at everything a run would use, each on its own, so that one fault hides no other."""
    yield Diagnosis("python", is_good=True, is_fatal=False, found=sys.version.split()[0])
    offers = f"{len(registry.plugins)} loaded; guards: {', '.join(guard.name for guard in registry.guards) or 'none'}"
    yield Diagnosis("plugins", bool(registry.guards), is_fatal=not registry.guards, found=offers)
    yield from _diagnose_source(settings, registry)
    yield _diagnose_cache(settings, registry)
    yield _look("reports folder", lambda: _find_writable(settings.reports_dir))


def _diagnose_source(settings: Settings, registry: Registry) -> Iterator[Diagnosis]:
    try:
        source = named_source(settings, registry)
        facts = test_source(registry, source) if source else None
    except JivsbenchError as exc:
        yield Diagnosis("source", is_good=False, is_fatal=True, found=str(exc))
        return
    if source is None or facts is None:
        yield _look("embedded PostgreSQL", lambda: f"no source is named, this one is used: {find_postgres_programs()}")
        return
    limit = f", {facts.max_connections} connections" if facts.max_connections else ""
    user = f", user {facts.user}" if facts.user else ""
    found = f"{format_url_without_secret(source.url)}: {facts.product} {facts.version}{user}{limit}"
    yield Diagnosis("source", is_good=True, is_fatal=False, found=found)
    yield _look_at_grants(registry, source, may_write=facts.may_write)
    try:
        yield Diagnosis("test data", True, is_fatal=False, found=f"{count_rows(registry, source, TABLE):,} rows in {TABLE}")
    except MissingObjectError:
        found = f"no table {TABLE}: scenarios need it, `jivsbench data load` makes it"
        yield Diagnosis("test data", is_good=False, is_fatal=False, found=found)
    except JivsbenchError as exc:
        # A source that cannot count, or tells of unknown tables in a way of its own, is still good for extractions.
        yield Diagnosis("test data", is_good=False, is_fatal=False, found=str(exc))


def _look_at_grants(registry: Registry, source: DataSource, *, may_write: bool | None) -> Diagnosis:
    try:
        excess = find_excess_privileges(registry, source)
    except JivsbenchError as exc:
        return Diagnosis("grants", is_good=False, is_fatal=False, found=f"{_GRANTS[may_write]}; its privileges: {exc}")
    if not excess:
        return Diagnosis("grants", may_write is False, is_fatal=False, found=_GRANTS[may_write])
    told = "; ".join(privilege.found for privilege in excess[:_MOST_TOLD])
    more = f"; and {len(excess) - _MOST_TOLD} more" if len(excess) > _MOST_TOLD else ""
    found = f"{len(excess)} privileges too many for an extraction account: {told}{more}"
    return Diagnosis("grants", is_good=False, is_fatal=False, found=found, remedies=tuple(one.remedy for one in excess))


def _diagnose_cache(settings: Settings, registry: Registry) -> Diagnosis:
    url = settings.cache_url
    if url is None:
        return _look("embedded Valkey", lambda: f"no cache is named, this one is used: {find_valkey_program()}")

    def describe() -> str:
        cache = registry.cache_for_url(url)
        cache.open(url, "jivsbench:doctor:", _CACHE_TIMEOUT_S).close()
        return f"{format_url_without_secret(url)}: answers ({cache.name})"

    return _look("cache", describe)


def _find_writable(folder: Path) -> str:
    nearest = folder
    try:
        # Below a folder that may not be entered, even whether there is one is an error.
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        probe = nearest / ".jivsbench-write-probe"
        probe.touch(exist_ok=False)
        probe.unlink()
        free_bytes = shutil.disk_usage(nearest).free
    except OSError as exc:
        raise OutputError(f"{nearest} cannot be written ({exc.strerror}): choose another folder with --reports-dir") from exc
    if free_bytes < _FREE_BYTES:
        raise OutputError(f"{nearest} has {free_bytes / 2**30:.1f} GiB free, a run may need {_FREE_BYTES / 2**30:.0f}: make room")
    return f"{folder}: writable, {free_bytes / 2**30:.1f} GiB free"


def _look(subject: str, describe: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(subject, is_good=True, is_fatal=False, found=describe())
    except JivsbenchError as exc:
        return Diagnosis(subject, is_good=False, is_fatal=True, found=str(exc))
