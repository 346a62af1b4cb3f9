"""`check`: a target of its own, attacked by the security checks."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from jivsbench.app.assessment import Assessment, assess
from jivsbench.app.checks import PLAIN, Security, add_missing_guard, attack, build_vulnerable, choose_checks
from jivsbench.app.data import load_dataset, test_source
from jivsbench.app.progress import Listener
from jivsbench.app.servers import Workbench, open_servers
from jivsbench.checks.corpus import read_corpus
from jivsbench.config import Settings, find_profile
from jivsbench.config.gate_files import load_suppressions
from jivsbench.dataset import TABLE, Dataset
from jivsbench.extract.guards import require_guards
from jivsbench.plugins import Registry
from jivsbench.results.check_baseline import read_baseline

_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """Which checks, against which profile, how thoroughly."""

    only: tuple[str, ...]
    profile: str
    is_full: bool
    seed: int
    corpus: Path | None = None
    """A file, or a folder of files, with payloads of the user's, one a line."""
    suppressions: Path | None = None
    """A file of findings that somebody answers for."""
    baseline: Path | None = None
    """The SARIF of an earlier assessment."""
    advisories: tuple[Path, ...] = ()
    """Advisories in the OSV format."""
    is_vulnerable: bool = False
    """Attack the target that is vulnerable on purpose in place of the profile's."""


def run_security_checks(settings: Settings, registry: Registry, options: CheckOptions, listener: Listener) -> Assessment:
    """Start a target, attack it, and say what was found. Every file that the user names is read before a server starts."""
    checks = choose_checks(registry, options.only)
    profile = find_profile(settings, options.profile)
    require_guards(profile, registry.guards)
    corpus = read_corpus(options.corpus) if options.corpus else ()
    suppressed = load_suppressions(options.suppressions) if options.suppressions else ()
    earlier = read_baseline(options.baseline) if options.baseline else None
    security = Security(
        checks, str(TABLE), is_full=options.is_full, seed=options.seed, corpus=corpus, advisories=options.advisories
    )
    variant = build_vulnerable(checks) if options.is_vulnerable else PLAIN
    work = Path(tempfile.mkdtemp(prefix="jivsbench-checks-"))
    try:
        with open_servers(settings, registry, listener) as servers:
            if servers.source_is_embedded:
                load_dataset(registry, servers.owner, Dataset(_ROWS), listener)
            test_source(registry, servers.source)
            bench = Workbench(settings, registry, servers, listener)
            results = add_missing_guard(profile, attack(bench, profile, security, work, variant))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return replace(assess(results, suppressed, is_vulnerable=options.is_vulnerable), earlier=earlier)
