"""`extract`: one verified extraction in this process."""

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from jivsbench.app.servers import named_source
from jivsbench.config import Settings
from jivsbench.errors import OutputError, UnknownNameError, UsageError
from jivsbench.extract.extractor import JOB_ID, Extractor
from jivsbench.extract.guards import require_guards
from jivsbench.extract.incremental import Series, extract_increment
from jivsbench.extract.manifest import IncrementMode
from jivsbench.extract.resume import read_finished
from jivsbench.extract.transforms.mask_key import check_mask_key
from jivsbench.model.job import ExtractionResult
from jivsbench.model.profile import Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import ExtractionRequest
from jivsbench.plugins import Registry
from jivsbench.private_folders import make_missing_folders


def fit_to_one_extraction(profile: Profile, streams: int | None, timeout_s: float) -> Profile:
    """A profile for one extraction that has the machine to itself: a stream a core, and one time limit for all of it.

    A service ends a query after seconds, so that one user cannot hold up the others; here nobody else waits.
    """
    cores = len(os.sched_getaffinity(0))
    fitted = replace(profile.switches, streams=streams or min(profile.switches.streams, cores))
    return replace(profile, switches=fitted, query_timeout_s=timeout_s, job_timeout_s=timeout_s)


def extract_table(
    registry: Registry,
    profile: Profile,
    source: DataSource,
    request: ExtractionRequest,
    folder: Path,
    *,
    partition_rows: int | None = None,
    mask_key: Secret | None = None,
) -> ExtractionResult:
    """Extract into `folder`, which must not exist yet. Returns only what was verified; else raises and leaves no file.

    With `partition_rows` an extraction that was begun in `folder` is continued there, and what is committed stays on failure.
    """
    if partition_rows is not None and (finished := read_finished(folder, source, request, profile)):
        return finished
    with closing(_build_extractor(registry, profile, folder, mask_key, may_exist=partition_rows is not None)) as extractor:
        return extractor.extract(folder.name, source, request, partition_rows=partition_rows)


def extract_next(
    registry: Registry,
    profile: Profile,
    source: DataSource,
    request: ExtractionRequest,
    folder: Path,
    *,
    series: Series,
) -> tuple[ExtractionResult, IncrementMode]:
    """Extract the next increment of a series into `folder`, which must not exist yet."""
    with closing(_build_extractor(registry, profile, folder, None, may_exist=False)) as extractor:
        return extract_increment(extractor, folder.name, source, request, series)


def _build_extractor(
    registry: Registry, profile: Profile, folder: Path, mask_key: Secret | None, *, may_exist: bool
) -> Extractor:
    if folder.exists() and not may_exist:
        raise OutputError(f"the extraction was to be written to {folder}, which exists already: name a new folder with --to")
    if not JOB_ID.fullmatch(folder.name):
        raise UsageError(
            f"--to names a folder, in which the files get names of their own: of letters, digits, - and _, not {folder.name!r}"
        )
    try:
        make_missing_folders(folder.parent)
    except OSError as exc:
        raise OutputError(f"the folder {folder.parent} cannot be made ({exc.strerror}): name another with --to") from exc
    check_mask_key(mask_key)
    return Extractor(
        connectors={connector.name: connector for connector in registry.connectors},
        guards=require_guards(profile, registry.guards),
        profile=profile,
        output_dir=folder.parent,
        mask_key=mask_key,
    )


def find_source(settings: Settings, registry: Registry, name: str) -> DataSource:
    """A source of the configuration by name, or a URL."""
    if "://" in name:
        url = Secret(name)
        return DataSource("main", registry.connector_for_url(url).name, url)
    named = named_source(settings, registry)
    if named is None or named.name != name:
        raise UnknownNameError.among("source", name, [named.name] if named else [])
    return named
