"""Attacks a target with the security checks that are installed."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Final

from jivsbench.analysis.standards import list_not_run
from jivsbench.api import UNCHANGED, CheckContext, Installation, SecurityCheck, TargetChanges, TargetVariant
from jivsbench.app.installation import describe_installation, plant_installation
from jivsbench.app.progress import Step
from jivsbench.app.rendering import Rendering
from jivsbench.app.servers import Servers, Workbench
from jivsbench.app.targets import Target, build_service_spec, serve_spec
from jivsbench.checks.context import Errand, HttpCheckContext, Reach
from jivsbench.checks.missing_guard import missing_guard_result
from jivsbench.checks.recorder import record_source
from jivsbench.checks.runner import run_checks, share_controls
from jivsbench.checks.score import score
from jivsbench.config.controls import load_catalogue
from jivsbench.errors import EmbeddedServerError, EnvironmentProblem
from jivsbench.model.finding import CheckResult, SecurityScore
from jivsbench.model.inputs import Waiver
from jivsbench.model.profile import Profile
from jivsbench.model.secret import Secret, format_url_without_secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import Registry
from jivsbench.private_folders import make_private_folder
from jivsbench.service.auth import Role
from jivsbench.service.spec import ServiceSpec, TokenSpec


@dataclass(frozen=True, slots=True)
class Security:
    """Which checks a run carries out on the judged target, over which table, and with which corpora."""

    checks: tuple[SecurityCheck, ...] = ()
    table: str = ""
    is_full: bool = False
    seed: int = 0
    corpus: tuple[str, ...] = ()
    """Payloads that the user brought."""
    advisories: tuple[Path, ...] = ()
    """Files of advisories that the user brought."""
    suppressions: tuple[Waiver, ...] = ()
    """Findings that somebody answers for, from a file of the user's."""


def choose_checks(registry: Registry, names: Sequence[str] = ()) -> tuple[SecurityCheck, ...]:
    """The checks of these ids, each once; all of them when none is named.

    Raises UnknownNameError, and EnvironmentProblem when none is installed: attacking nothing would look like finding nothing.
    """
    if not registry.checks:
        raise EnvironmentProblem(
            "security checks were asked for and none is installed: install jivsbench-security, or enable its plugin"
        )
    return tuple(registry.check(name) for name in dict.fromkeys(names)) if names else registry.checks


class AttackedTargets:
    """Starts targets of one profile to be attacked, each behind a recorder, with folders of their own."""

    def __init__(self, bench: Workbench, profile: Profile, security: Security, work: Path, logs: Path) -> None:
        self._bench = bench
        self._profile = profile
        self._security = security
        self._work = work
        self._logs = logs

    @contextmanager
    def launch(self, variant: TargetVariant, changes: TargetChanges = UNCHANGED) -> Iterator[CheckContext]:
        """A running target of a variant, and what a check needs to attack it."""
        with ExitStack() as exits:
            source = self._bench.servers.source
            if changes.source_url is not None:
                source = replace(source, url=changes.source_url)
            passing, wire = exits.enter_context(record_source(source))
            servers = replace(exits.enter_context(_serve_cache(self._bench.servers, variant)), source=passing)
            # Not by the variant's name: a check may start several of one variant.
            folder = Path(tempfile.mkdtemp(prefix=f"{variant.name}-", dir=self._work))
            checks = folder / "checks"
            for one in (checks, folder / "outputs"):
                make_private_folder(one, may_exist=False)
            spec = build_service_spec(replace(self._bench, servers=servers), self._profile, folder / "outputs", variant=variant)
            spec = _change_spec(spec, changes)
            if variant.is_unlocked:
                spec = replace(spec, plugins_lock=None)
            log = self._logs / f"attacked-{variant.name}.log"
            target = exits.enter_context(serve_spec(spec, log, changes=changes))
            context = HttpCheckContext(
                _find_reach(target, log),
                self._build_errand(checks, changes.cache_url or servers.cache_url),
                partial(self.launch, variant),
                plant_installation(self._installation, variant.installations, checks),
                wire,
                self._build_rendering(source, spec, (*variant.plugins, *changes.plugins), checks, log).render,
            )
            exits.callback(context.close)
            yield context

    @cached_property
    def _installation(self) -> Installation:
        """The same for all targets, and slow to find."""
        return describe_installation(self._bench, self._security.advisories)

    def _build_rendering(
        self, source: DataSource, spec: ServiceSpec, plugins: tuple[str, ...], folder: Path, log: Path
    ) -> Rendering:
        """Reports as this installation renders them; with plugins besides, another process does, as its target loads them."""
        cache_url = self._bench.servers.cache_url
        return Rendering(
            self._bench.registry,
            format_url_without_secret(source.url),
            format_url_without_secret(cache_url) if cache_url else "",
            folder,
            log,
            spec.plugins if plugins else (),
            spec.disabled_plugins,
            spec.plugins_lock,
        )

    def _build_errand(self, folder: Path, cache_url: Secret | None) -> Errand:
        servers, security = self._bench.servers, self._security
        return Errand(
            connector=self._bench.registry.connector(servers.owner.connector),
            owner=servers.owner,
            reader=servers.source,
            table=security.table,
            is_full=security.is_full,
            seed=security.seed,
            folder=folder,
            corpus=security.corpus,
            cache_url=cache_url,
        )


PLAIN: Final = TargetVariant("target")
"""The target as its profile says."""


def build_vulnerable(checks: Sequence[SecurityCheck]) -> TargetVariant:
    """The one target with as many holes as get along: the first that the controls of these checks share."""
    variant = share_controls(checks)[0][0]
    return replace(variant, name="vulnerable")


def attack(
    bench: Workbench, profile: Profile, security: Security, logs: Path, variant: TargetVariant = PLAIN
) -> tuple[CheckResult, ...]:
    """Run the checks against a target of the profile that is started for them; their controls get targets of their own."""
    work = Path(tempfile.mkdtemp(prefix="jivsbench-attacked-"))
    targets = AttackedTargets(bench, profile, security, work, logs)
    try:
        with targets.launch(variant) as target:
            return run_checks(security.checks, targets.launch, target, lambda text: bench.listener(Step(text)))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _find_reach(target: Target, log: Path) -> Reach:
    service = target.service
    return Reach(service.base_url, Secret(service.admin_token), service.pid, log, target.output_dir, target.credential_key)


@contextmanager
def _serve_cache(servers: Servers, variant: TargetVariant) -> Iterator[Servers]:
    """The servers of all targets, with another cache server for a variant that asks for one.

    A confined one takes the place of a user's server alone, and that server stays where no other can be started.
    """
    is_stock = variant.cache_server == "stock"
    if variant.cache_server is None or (not is_stock and (servers.cache_url is None or servers.cache_is_embedded)):
        yield servers
        return
    from jivsbench.embedded import find_valkey_program, start_valkey

    try:
        find_valkey_program()
    except EmbeddedServerError:
        if is_stock:
            raise
        yield servers
        return
    with start_valkey(is_stock=is_stock) as server:
        yield replace(servers, cache_name="redis", cache_url=server.url)


def _change_spec(spec: ServiceSpec, changes: TargetChanges) -> ServiceSpec:
    return replace(
        spec,
        profile=_change_profile(spec.profile, changes),
        cache_url=_reveal(changes.cache_url) or spec.cache_url,
        metadata_url=_reveal(changes.metadata_url) or spec.metadata_url,
        credential_key=_reveal(changes.credential_key) or spec.credential_key,
        mask_key=_reveal(changes.mask_key) or spec.mask_key,
        destinations=spec.destinations if changes.destinations is None else changes.destinations,
        plugins=(*spec.plugins, *changes.plugins),
        plugins_lock=str(changes.plugins_lock) if changes.plugins_lock else spec.plugins_lock,
        tokens=(TokenSpec(_reveal(changes.admin_token) or secrets.token_urlsafe(32), Role.ADMIN),),
    )


def _change_profile(profile: Profile, changes: TargetChanges) -> Profile:
    pool = replace(
        profile.pool,
        max_size=changes.pool_size or profile.pool.max_size,
        min_idle=min(profile.pool.min_idle, changes.pool_size or profile.pool.min_idle),
        borrow_timeout_s=changes.borrow_timeout_s or profile.pool.borrow_timeout_s,
    )
    return replace(
        profile,
        pool=pool,
        query_timeout_s=changes.query_timeout_s or profile.query_timeout_s,
        job_timeout_s=changes.job_timeout_s or profile.job_timeout_s,
        queue_limit=changes.queue_limit or profile.queue_limit,
        job_workers=changes.job_workers or profile.job_workers,
        guards=profile.guards if changes.guards is None else changes.guards,
        output=profile.output
        if changes.escape_formulas is None
        else replace(profile.output, escape_formulas=changes.escape_formulas),
        switches=profile.switches if changes.batching is None else replace(profile.switches, batching=changes.batching),
    )


def _reveal(secret: Secret | None) -> str | None:
    return secret.reveal() if secret is not None else None


def add_missing_guard(profile: Profile, results: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    """The results, with SEC-001 as an open CRITICAL in front when the profile says `guards = []`."""
    return (missing_guard_result(profile), *results) if profile.guards == () else results


def score_results(results: tuple[CheckResult, ...]) -> SecurityScore | None:
    """The score; None when nothing was checked."""
    return score(results, len(list_not_run(load_catalogue(), results))) if results else None
