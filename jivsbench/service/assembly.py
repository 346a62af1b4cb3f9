"""Puts a service together from its spec: plugins, guards, cache, job store, extractor, runner.

Whatever the spec asks for and this machine lacks is said here, before anything listens for long.
"""

import fcntl
import hashlib
import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jivsbench import __version__
from jivsbench.api import CacheClient, Connector, Guard
from jivsbench.errors import EnvironmentProblem, OutputError, UnknownNameError
from jivsbench.extract.caching.key_file import read_cache_key
from jivsbench.extract.credentials import AUDIT_USE, CredentialKey, CredentialVault, parse_credential_key
from jivsbench.extract.destinations import ConfinedConnector, Destinations
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.guards import require_guards
from jivsbench.extract.jobs.database import STORE_FOLDER, StoreDatabase, open_database
from jivsbench.extract.jobs.directory import SourceDirectory
from jivsbench.extract.jobs.sources import SourceStore
from jivsbench.extract.jobs.store import JobStore
from jivsbench.extract.metadata_cache import MetadataCache
from jivsbench.extract.runner import JobRunner
from jivsbench.extract.transforms.mask_key import check_mask_key
from jivsbench.model.profile import Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import Registry, load_registry
from jivsbench.private_folders import make_missing_folders
from jivsbench.service.audit import AuditKey, AuditTrail, open_trail
from jivsbench.service.auth import Authority
from jivsbench.service.job_watch import JobWatch
from jivsbench.service.metrics import Gauges, JobMetrics
from jivsbench.service.spec import ServiceSpec

_LOG = logging.getLogger(__name__)
_CACHE_TIMEOUT_S: Final = 1.0
_OWNER_CHARACTERS: Final = 32
# The whole of an ending stays under the 5 s that a supervisor waits before it kills.
_DRAIN_S: Final = 2.0
_CLOSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that the routes use."""

    profile: Profile
    guards: tuple[str, ...]
    connectors: Mapping[str, Connector]
    destinations: Destinations
    authority: Authority
    trail: AuditTrail
    database: StoreDatabase
    jobs: JobStore
    sources: SourceDirectory
    extractor: Extractor
    runner: JobRunner
    metrics: JobMetrics
    opened: ExitStack
    """All that has to be closed again, the lock of the output folder included; from the last to the first."""

    def check_source(self, source: DataSource) -> None:
        """Raises UnknownNameError for a connector that is not loaded, or does not open such URLs, and DestinationError."""
        connector = self.connectors.get(source.connector)
        if connector is None:
            raise UnknownNameError("no connector has that name: `jivsbench plugins` lists those that are loaded")
        if source.url.reveal().partition(":")[0].lower() not in connector.schemes:
            schemes = ", ".join(f"{scheme}:" for scheme in connector.schemes)
            raise UnknownNameError(f"connector {connector.name} does not open that kind of URL: it opens {schemes}")
        self.destinations.check(source.url)

    def close(self) -> None:
        """Let jobs end, cancel those that do not, close every connection. Takes less than 4.5 s."""
        with self.opened:
            # One that cannot be closed leaves none of the others open.
            if not self.runner.close(_DRAIN_S):
                _LOG.error("some jobs did not end when they were cancelled, or their end could not be stored")


def assemble(spec: ServiceSpec) -> Service:
    """Build the service; its workers run when this returns. Raises the JivsbenchError that says what is missing.

    What was opened by then is closed again.
    """
    registry = load_registry(
        extra_modules=spec.plugins,
        disabled=spec.disabled_plugins,
        plugins_lock=Path(spec.plugins_lock) if spec.plugins_lock else None,
    )
    authority = Authority(tuple((token.token, token.role) for token in spec.tokens))
    key = parse_credential_key(Secret(spec.credential_key)) if spec.credential_key else None
    check_mask_key(Secret(spec.mask_key) if spec.mask_key else None)
    guards = require_guards(spec.profile, registry.guards)
    output_dir = make_output_folder(Path(spec.output_dir)).resolve()
    with ExitStack() as undo:
        opened = undo.enter_context(ExitStack())
        # First of all, so that nobody else writes to what is opened then.
        opened.callback(os.close, _occupy(output_dir))
        trail = open_trail(output_dir, AuditKey(key.key_id, key.derive(AUDIT_USE)) if key else None)
        opened.callback(trail.close)
        service = _build(spec, _Ground(registry, authority, key, guards, output_dir, trail, opened))
        _begin(service, spec)
        undo.pop_all()
    return service


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a service stands on: read and checked before anything of it is built."""

    registry: Registry
    authority: Authority
    key: CredentialKey | None
    guards: tuple[Guard, ...]
    output_dir: Path
    trail: AuditTrail
    opened: ExitStack


def _build(spec: ServiceSpec, ground: _Ground) -> Service:
    owner = hashlib.sha256(str(ground.output_dir).encode()).hexdigest()[:_OWNER_CHARACTERS]
    cache_client = _open_cache(spec, ground.registry, owner)
    if cache_client is not None:
        ground.opened.callback(cache_client.close)
    # In a file, so that entries are read again after a restart, and by nobody else.
    cache_key = read_cache_key(ground.output_dir) if cache_client else None
    cache = MetadataCache(cache_client, spec.profile.cache_times, key=cache_key)
    database = _open_database(spec, ground)
    jobs = JobStore(database, owner=owner, join_fetch=spec.profile.switches.join_fetch)
    sources = SourceDirectory(SourceStore(database, CredentialVault(ground.key) if ground.key else None), cache)
    destinations = Destinations(spec.destinations)
    connectors = {connector.name: ConfinedConnector(connector, destinations) for connector in ground.registry.connectors}
    extractor = _open_extractor(spec, ground, connectors, cache)
    metrics = JobMetrics()
    watch = JobWatch(metrics, ground.trail)
    runner = JobRunner(
        store=jobs,
        cache=cache,
        extractor=extractor,
        sources=sources,
        profile=spec.profile,
        output_dir=ground.output_dir,
        observer=watch,
    )
    service = Service(
        profile=spec.profile,
        guards=tuple(guard.name for guard in ground.guards),
        connectors=connectors,
        destinations=destinations,
        authority=ground.authority,
        trail=ground.trail,
        database=database,
        jobs=jobs,
        sources=sources,
        extractor=extractor,
        runner=runner,
        metrics=metrics,
        opened=ground.opened,
    )
    _register_gauges(service, cache, cache_client)
    return service


def _open_database(spec: ServiceSpec, ground: _Ground) -> StoreDatabase:
    database = open_database(
        Secret(spec.metadata_url) if spec.metadata_url else None,
        ground.output_dir / STORE_FOLDER,
        spec.profile.metadata,
        has_indexes=spec.profile.switches.indexes,
    )
    ground.opened.callback(database.close)
    return database


def _open_extractor(spec: ServiceSpec, ground: _Ground, connectors: Mapping[str, Connector], cache: MetadataCache) -> Extractor:
    extractor = Extractor(
        connectors=connectors,
        guards=ground.guards,
        profile=spec.profile,
        output_dir=ground.output_dir,
        schemas=cache.schema,
        mask_key=Secret(spec.mask_key) if spec.mask_key else None,
    )
    ground.opened.callback(extractor.close, _CLOSE_S)
    return extractor


def _register_gauges(service: Service, cache: MetadataCache, client: CacheClient | None) -> None:
    service.metrics.registry.register(
        Gauges(
            pools=service.extractor.pool_statistics,
            cache=lambda: client.statistics() if client else None,
            look_ups=cache.look_ups,
            metadata_pool=service.database.pool_sizes,
            waiting_jobs=lambda: service.runner.waiting,
        )
    )


def _begin(service: Service, spec: ServiceSpec) -> None:
    declared = [source.to_source() for source in spec.sources]
    for source in declared:
        service.check_source(source)
    service.sources.declare(declared)
    service.trail.record(
        "started",
        version=__version__,
        profile=service.profile.name,
        guards=list(service.guards),
        sources=[s.name for s in declared],
    )
    service.runner.start()


def _open_cache(spec: ServiceSpec, registry: Registry, owner: str) -> CacheClient | None:
    if not spec.profile.switches.cache:
        return None
    name, url = spec.profile.cache or spec.cache_name, Secret(spec.cache_url) if spec.cache_url else None
    if name:
        cache = registry.cache(name)
    elif url:
        cache = registry.cache_for_url(url)
    else:
        cache = registry.cache("memory")
    # The prefix is the service's own: two services on one cache never read each other's jobs.
    return cache.open(url if cache.schemes else None, f"jivsbench:{owner}:", _CACHE_TIMEOUT_S)


def _occupy(folder: Path) -> int:
    """Lock the output folder for this process: jobs belong to it, and only one process may claim and end them."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise EnvironmentProblem(
            f"extractions were to be written to {folder}, where another service writes: stop it, or name another folder"
        ) from exc
    return descriptor


def make_output_folder(folder: Path) -> Path:
    """The folder that extractions are written to, made when it is missing. Raises OutputError."""
    try:
        make_missing_folders(folder)
    except OSError as exc:
        raise OutputError(f"extractions were to be written to {folder}, which cannot be made ({exc.strerror})") from exc
    return folder
