"""Starts targets: one extraction service a profile, each a process of its own."""

import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import urllib3

from jivsbench.api import UNCHANGED, TargetChanges, TargetVariant
from jivsbench.app.servers import Workbench
from jivsbench.errors import EnvironmentProblem
from jivsbench.extract.credentials import format_new_key
from jivsbench.load.spec import LoadArm
from jivsbench.model.profile import Profile
from jivsbench.model.record import ArmRuntime
from jivsbench.model.secret import Secret
from jivsbench.private_folders import make_private_folder
from jivsbench.service.auth import Role
from jivsbench.service.launcher import RunningService, Surroundings, start_service
from jivsbench.service.spec import ServiceSpec, SourceSpec, TokenSpec

REFERENCE = TargetVariant("reference")
LOOPBACK: Final = "127.0.0.1"
NO_KEY: Final = Secret("")


@dataclass(frozen=True, slots=True)
class Stack:
    """What a target is made of, where that is not what everything else is: another environment, other plugins."""

    python: Path | None = None
    """Interpreter of the environment; None: this one."""
    runtime: ArmRuntime | None = None
    """What that environment says of itself."""
    plugins: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()


SAME: Final = Stack()


@dataclass(frozen=True, slots=True)
class Target:
    """A running target, and the folder that its outputs go to."""

    profile: Profile
    service: RunningService
    output_dir: Path
    guards: tuple[str, ...]
    """Names of the guards in force, as the running service says."""
    stack: Stack = SAME
    credential_key: Secret = NO_KEY

    def as_load_arm(self) -> LoadArm:
        """The target as the load child sees it."""
        return LoadArm(self.profile.name, self.service.base_url, self.service.admin_token, self.service.pid)


def build_service_spec(
    bench: Workbench,
    profile: Profile,
    output_dir: Path,
    *,
    variant: TargetVariant = REFERENCE,
    host: str = LOOPBACK,
    port: int = 0,
    admin_token: str | None = None,
) -> ServiceSpec:
    """What a target needs to know; by default with a fresh token and a free loopback port."""
    settings, servers = bench.settings, bench.servers
    source = servers.source
    return ServiceSpec(
        profile=_fit_profile(profile, variant),
        sources=(
            SourceSpec(
                name=source.name,
                connector=variant.connector or source.connector,
                url=source.url.reveal(),
                type_policy=source.type_policy,
                tables=source.tables,
            ),
        ),
        cache_name=servers.cache_name,
        cache_url=servers.cache_url.reveal() if servers.cache_url else None,
        metadata_url=settings.metadata_url.reveal() if settings.metadata_url else None,
        mask_key=settings.mask_key.reveal() if settings.mask_key else None,
        credential_key=settings.credential_key.reveal() if settings.credential_key else None,
        destinations=settings.destinations,
        output_dir=str(output_dir),
        host=host,
        port=port,
        tokens=(TokenSpec(token=admin_token or secrets.token_urlsafe(32), role=Role.ADMIN),),
        plugins=(*settings.plugins, *variant.plugins),
        disabled_plugins=settings.disabled_plugins,
        plugins_lock=str(settings.plugins_lock) if settings.plugins_lock else None,
    )


def _fit_profile(profile: Profile, variant: TargetVariant) -> Profile:
    guards = profile.guards if variant.guards is None else variant.guards
    return replace(profile, guards=guards, cache=variant.cache or profile.cache)


@contextmanager
def start_target(  # noqa: PLR0917 - six different types
    bench: Workbench,
    profile: Profile,
    work: Path,
    log: Path,
    variant: TargetVariant = REFERENCE,
    stack: Stack = SAME,
    host: str = LOOPBACK,
) -> Iterator[Target]:
    """One target, gone at the end of the block."""
    output_dir = work / f"{profile.name}-{variant.name}"
    make_private_folder(output_dir, may_exist=False)
    spec = build_service_spec(bench, profile, output_dir, variant=variant, host=host)
    spec = replace(
        spec,
        plugins=(*spec.plugins, *stack.plugins),
        disabled_plugins=(*spec.disabled_plugins, *stack.disabled_plugins),
    )
    with serve_spec(spec, log, stack) as target:
        yield target


@contextmanager
def serve_spec(spec: ServiceSpec, log: Path, stack: Stack = SAME, changes: TargetChanges = UNCHANGED) -> Iterator[Target]:
    """A target as a spec says, gone at the end of the block. Without a credential key it gets one for as long as it lives."""
    # Sources that a run adds are stored for as long as its target lives, and so is the key.
    key = spec.credential_key or format_new_key().reveal()
    spec = replace(spec, credential_key=key)
    surroundings = Surroundings(stack.python, changes.environment, changes.umask)
    with start_service(spec, log, surroundings=surroundings) as service:
        yield Target(spec.profile, service, Path(spec.output_dir), _ask_guards(service), stack, Secret(key))


class LineUp:
    """The targets of a run, one a profile, in the order of the profiles, all of them up after `fill` until the block's end.

    `stacks`: one a profile, or none for the same everywhere. `greet` is told of every target that has started.
    """

    def __init__(
        self,
        start: Callable[[Profile, Stack], AbstractContextManager[Target]],
        profiles: Sequence[Profile],
        stacks: Sequence[Stack] = (),
        greet: Callable[[Target], object] = lambda _target: None,
    ) -> None:
        self._start = start
        places = zip(profiles, stacks or [SAME] * len(profiles), strict=True)
        self._places = {profile.name: (profile, stack) for profile, stack in places}
        self._greet = greet
        self._exits = ExitStack()
        self.targets: tuple[Target, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._exits.close()

    def as_load_arms(self) -> tuple[LoadArm, ...]:
        """The targets as the load child sees them."""
        return tuple(target.as_load_arm() for target in self.targets)

    def fill(self, arms: Sequence[str]) -> None:
        """End the targets that are up, with their outputs, and start new ones together, in the order of `arms`.

        Raises EnvironmentProblem when one does not start.
        """
        self._exits.close()
        for target in self.targets:
            shutil.rmtree(target.output_dir, ignore_errors=True)
        with ExitStack() as exits:
            started = self._start_together(arms, exits)
            self.targets = tuple(started[arm] for arm in self._places)
            for target in self.targets:
                self._greet(target)
            self._exits = exits.pop_all()

    def _start_together(self, arms: Sequence[str], exits: ExitStack) -> dict[str, Target]:
        """Whatever goes wrong, all have started or failed when this ends: what started later nobody would end."""
        starts: dict[str, Future[Target]] = {arm: Future() for arm in arms}

        def start(arm: str) -> None:
            future = starts[arm]
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(exits.enter_context(self._start(*self._places[arm])))
                except BaseException as exc:  # noqa: BLE001 - raised again by whoever asks for the result
                    future.set_exception(exc)

        try:
            with ThreadPoolExecutor() as threads:
                for arm in arms:
                    threads.submit(start, arm)
                wait(starts.values())
        finally:
            # Ctrl-C can come within `submit`, and then the pool does not know of a thread that runs.
            wait([future for future in starts.values() if not future.cancel()])
        return {arm: future.result() for arm, future in starts.items()}


def _ask_guards(service: RunningService) -> tuple[str, ...]:
    """The guards that are really in force, which is not always what a profile says."""
    headers = {"Authorization": f"Bearer {service.admin_token}"}
    try:
        answer = urllib3.request("GET", f"{service.base_url}/api/v1/profile", headers=headers, timeout=10.0)
    except urllib3.exceptions.HTTPError as exc:
        raise EnvironmentProblem(
            f"the extraction service was asked for its guards and did not answer ({type(exc).__name__}): see its log"
        ) from exc
    if answer.status != HTTPStatus.OK:
        raise EnvironmentProblem(f"the extraction service was asked for its guards and answered {answer.status}: see its log")
    return tuple(answer.json()["guards"])
