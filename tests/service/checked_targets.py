"""Targets for the tests of the checks: real services over a real PostgreSQL, with whatever plugins a control asks for."""

from pathlib import Path

from jivsbench.app.checks import AttackedTargets, Security
from jivsbench.app.servers import Servers, Workbench
from jivsbench.config import Settings
from jivsbench.model.profile import OPTIMIZED, Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import Registry


def build_targets(
    registry: Registry,
    urls: tuple[Secret, Secret],
    folder: Path,
    table: str,
    *,
    cache_url: Secret | None = None,
    profile: Profile = OPTIMIZED,
) -> AttackedTargets:
    """Targets over a source; `urls` are those of its owner and of the user that the targets are."""
    owner, reader = (DataSource("main", "postgres", url) for url in urls)
    cache = "redis" if cache_url else "memory"
    servers = Servers(reader, owner, cache, cache_url, source_is_embedded=False, cache_is_embedded=False)
    bench = Workbench(Settings(), registry, servers, lambda _event: None)
    return AttackedTargets(bench, profile, Security(table=table, seed=7), folder, folder)
