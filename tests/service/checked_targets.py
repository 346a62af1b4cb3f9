"""Targets for the tests of the checks: real services over a real PostgreSQL, with whatever plugins a control asks for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.checks.context import HttpCheckContext
from jivsbench.model.profile import OPTIMIZED, Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.plugins import Registry
from jivsbench.service.launcher import start_service
from jivsbench.service.spec import ServiceSpec, SourceSpec


@dataclass(frozen=True, slots=True)
class CheckedTargets:
    """Starts targets over one source."""

    registry: Registry
    owner_url: str
    reader_url: str
    folder: Path
    table: str
    profile: Profile = OPTIMIZED

    @contextmanager
    def launch(self, variant: TargetVariant) -> Iterator[CheckContext]:
        """A running target of that variant, and what a check needs to attack it."""
        output_dir = self.folder / variant.name
        output_dir.mkdir(exist_ok=True)
        profile = self.profile if variant.guards is None else replace(self.profile, guards=variant.guards)
        spec = ServiceSpec(
            profile=replace(profile, cache="memory"),
            sources=(SourceSpec("main", variant.connector or "postgres", self.reader_url),),
            output_dir=str(output_dir),
            tokens=(),
            plugins=variant.plugins,
        )
        with start_service(spec, self.folder / f"{variant.name}.log", timeout_s=60) as service:
            yield HttpCheckContext(
                base_url=service.base_url,
                token=service.admin_token,
                output_dir=output_dir,
                connector=self.registry.connector("postgres"),
                data_source=DataSource("main", "postgres", Secret(self.owner_url)),
                table=self.table,
                is_full=False,
                seed=7,
            )
