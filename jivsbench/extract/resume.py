"""An output that outlives the process that writes it: each partition is committed as soon as it is verified.

The order is what makes it safe: the file is whole and synced, then it has its final name, then the folder is synced, and
only then the state log says so. Whatever the log names is there; whatever it does not name is dropped and read again.
"""

import hashlib
import hmac
import json
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from jivsbench.api import Connection, KeyPartitioner
from jivsbench.errors import ResumeError
from jivsbench.extract.folders import MANIFEST, JobFolder, enter_job_folder, output_errors
from jivsbench.extract.manifest import (
    Manifest,
    ManifestColumn,
    ManifestPartition,
    describe_columns,
    describe_output,
    describe_request,
    parse_manifest,
)
from jivsbench.extract.outputs import Published, check_snapshot, describe_partition
from jivsbench.extract.sinks import add_up_escaped_cells, choose_encoding, choose_format
from jivsbench.extract.state_log import STATE_LOG, StateLog, open_state_log
from jivsbench.extract.streams import VerifiedPartition
from jivsbench.model.job import ExtractionResult, OutputFile
from jivsbench.model.output import EscapedCells
from jivsbench.model.profile import Profile
from jivsbench.model.secret import Secret
from jivsbench.model.source import DataSource
from jivsbench.model.table import Consistency, ExtractionRequest, Fingerprint, KeySplit, Partition, TableSchema, add_up_counts

_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Header:
    """The first record: what the output is of. Another attempt continues only the same."""

    format_version: int
    source: str
    request_sha256: str
    settings: str
    columns: tuple[ManifestColumn, ...]
    split: KeySplit | None
    """None: the source has no key to split by, and the output is one partition."""


@dataclass(frozen=True, slots=True)
class Committed:
    """Every further record: a partition whose file has its final name."""

    attempt: str
    """A server that was started anew gives its snapshots the old names again; attempts never share one."""
    partition: ManifestPartition
    escaped_cells: tuple[EscapedCells, ...]


class ResumableOutput:
    """One attempt to fill a folder that another attempt may have begun."""

    def __init__(
        self, folder: JobFolder, log: StateLog, parts: tuple[Partition, ...], kept: list[Committed], *, snapshot: str | None
    ) -> None:
        self.folder = folder
        self.kept_count = len(kept)
        self._snapshot = snapshot
        self._log = log
        self._lock = threading.Lock()
        self._is_ended = False
        self._committed = {record.partition.index: record for record in kept}
        self._part_count = len(parts)
        self.todo = tuple(part for part in parts if part.index not in self._committed)

    def commit(self, part: VerifiedPartition) -> None:
        """Name the file, then note it. Who comes second with a partition, or after the end, loses and deletes its own file."""
        check_snapshot(part, self._snapshot)
        record = Committed(self.folder.attempt, describe_partition(part), part.file.escaped_cells)
        with self._lock:
            if part.counts.index in self._committed or self._is_ended:
                self.folder.discard(part.file.name)
                return
            self._log.check_owner()
            self.folder.publish([part.file.name])
            # If this fails, nobody knows whether the record will be found: the file stays, and the next attempt sees.
            self._log.append(_format(record))
            self._committed[part.counts.index] = record

    def publish(self, told: Consistency) -> Published:
        """All files have their names already."""
        self._log.check_owner()
        assert len(self._committed) == self._part_count
        records = [self._committed[index] for index in sorted(self._committed)]
        partitions = tuple(record.partition for record in records)
        escaped_cells = add_up_escaped_cells(record.escaped_cells for record in records)
        views = {(record.attempt, record.partition.snapshot) for record in records}
        if len(views) > 1:
            is_snapshot = told is Consistency.ONE_SNAPSHOT
            kept = Consistency.PER_PARTITION if is_snapshot else Consistency.NONE
            return Published(partitions, None, kept, escaped_cells)
        if told is not Consistency.ONE_SNAPSHOT and self.kept_count:
            # The attempt that read them died before its source could say that it had not changed.
            told = Consistency.NONE
        return Published(partitions, partitions[0].snapshot, told, escaped_cells)

    def finish(self) -> None:
        """The log has served; it holds keys of rows, so it does not stay."""
        self._is_ended = True
        self._log.remove()
        self.folder.close()

    def abandon(self) -> None:
        """Keep what is committed and its log for the next attempt; drop what is half written. Lets go of the lock."""
        with self._lock:
            self._is_ended = True
            self.folder.drop_unfinished()
            self._log.close()
            self.folder.close()


@dataclass(frozen=True, slots=True)
class ResumableJob:
    """What is asked for, as far as a second attempt must ask for the same."""

    job_id: str
    source: DataSource
    request: ExtractionRequest
    profile: Profile
    mask_key: Secret | None
    partition_rows: int
    """May differ between attempts: the first one's parts stay."""


def open_resumable(
    output_dir: Path, job: ResumableJob, connection: Connection, schema: TableSchema, snapshot: str | None
) -> ResumableOutput:
    """Begin an output, or continue the one that lies there. Raises ResumeError when that is of something else, or damaged."""
    folder = enter_job_folder(output_dir, job.job_id)
    check_folder(Path(folder.path), Path(folder.place))
    log = open_state_log(folder.path, folder.place)
    try:
        split = _agree_on_split(log, job, connection, schema, folder.path)
        kept = _read_committed(log.records[1:], folder.path, folder.place)
        parts = _build_parts(split, job.request, connection, schema)
        folder.keep_only([record.partition.file for record in kept])
        return ResumableOutput(folder, log, parts, kept, snapshot=snapshot)
    except BaseException:
        log.close()
        raise


def _agree_on_split(
    log: StateLog, job: ResumableJob, connection: Connection, schema: TableSchema, folder: str
) -> KeySplit | None:
    """The split that the log begins with, or a new one, with which it then begins."""
    if log.records:
        found = _parse_header(log.records[0], folder)
        _check_header(found, _build_header(job, schema, None), folder)
        return found.split
    split = None
    if isinstance(connection, KeyPartitioner):
        split = connection.split_by_key(job.request, job.partition_rows)
    log.append(_format(_build_header(job, schema, split)))
    return split


def read_finished(path: Path, source: DataSource, request: ExtractionRequest, profile: Profile) -> ExtractionResult | None:
    """What an earlier attempt finished: the complete output of this very request. None when it is unfinished.

    A process may end between the manifest and its own exit code. Raises ResumeError for an output of something else, and for one
    that has lost a file since.
    """
    started_ns = time.perf_counter_ns()
    try:
        manifest = parse_manifest((path / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise ResumeError(f"the manifest in {path} cannot be read: name a new folder") from None
    _check_asked(manifest, source, request, profile, path)
    partitions = manifest.partitions
    for partition in partitions:
        _check_file(path, partition, str(path), "manifest")
    (path / STATE_LOG).unlink(missing_ok=True)
    return ExtractionResult(
        folder=manifest.job_id,
        files=tuple(OutputFile(p.file, p.rows_written, p.size_bytes) for p in partitions),
        rows_read=sum(p.rows_read for p in partitions),
        rows_written=manifest.row_count,
        rows_in_source=add_up_counts(Fingerprint(p.rows_in_source) for p in partitions),
        streams=manifest.streams,
        snapshot=manifest.snapshot,
        phases=(),
        duration_ns=time.perf_counter_ns() - started_ns,
        consistency=Consistency(manifest.consistency),
        kept_partitions=len(partitions),
        escaped_cells=manifest.output.escaped_cells,
        rows_filtered=sum(p.rows_filtered for p in partitions),
        changed_columns=manifest.changed_columns,
    )


def _check_asked(manifest: Manifest, source: DataSource, request: ExtractionRequest, profile: Profile, path: Path) -> None:
    """Raise ResumeError unless the manifest is of what is asked for, in all that decides on the bytes of its files."""
    output = describe_output(choose_format(request, profile), choose_encoding(request, profile), manifest.output.escaped_cells)
    for found, asked, what in (
        (manifest.source, source.name, "another source"),
        (manifest.connector, source.connector, "another connector"),
        (manifest.request, describe_request(request), "another request"),
        (manifest.type_policy, source.type_policy.value, "another type policy, or an earlier version, which notes none"),
        (manifest.output, output, "another form of output"),
        (manifest.verification, profile.verification.value, "another level of verification"),
    ):
        if found != asked:
            raise ResumeError(f"{path} holds a complete output already, of {what}: name a new folder")
    if request.filters or request.transforms:
        raise ResumeError(
            f"{path} holds a complete output already, and a manifest tells no values of filters and transforms: name a new folder"
        )


def check_folder(path: Path, place: Path | None = None) -> None:
    """Raise ResumeError unless the folder can be of an unfinished output: it has a state log, or nothing that is not ours.

    It is read through `place` where it is open already, and messages name it by `path`.
    """
    with output_errors(str(path)):
        names = {entry.name for entry in (place or path).iterdir()}
    if MANIFEST in names:
        raise ResumeError(f"{path} holds a complete output already: name a new folder for another")
    foreign = [name for name in names if ".tmp-" not in name]
    if STATE_LOG not in names and foreign:
        raise ResumeError(f"{path} holds files but no state log, so nothing in it can be resumed: name a new folder")


def _build_parts(
    split: KeySplit | None, request: ExtractionRequest, connection: Connection, schema: TableSchema
) -> tuple[Partition, ...]:
    if split is None:
        return (Partition(0, request, schema),)
    if not isinstance(connection, KeyPartitioner):
        raise ResumeError(f"the connector of source {request.source} cannot read by key, as it could then: install that version")
    return connection.key_partitions(request, schema, split)


def _build_header(job: ResumableJob, schema: TableSchema, split: KeySplit | None) -> Header:
    return Header(
        format_version=_FORMAT_VERSION,
        source=f"{job.source.name} ({job.source.connector})",
        request_sha256=hashlib.sha256(repr(job.request).encode()).hexdigest(),
        settings=_describe_settings(job),
        columns=describe_columns(schema),
        split=split,
    )


def _describe_settings(job: ResumableJob) -> str:
    """What files of one output must have in common, besides the request: another key would mask equal values otherwise.

    Under another type policy a value would be NULL in one file and have ended the job in the other.
    """
    profile, policy, key = job.profile, job.source.type_policy.value, job.mask_key.reveal() if job.mask_key else ""
    mask = hmac.digest(key.encode(), b"jivsbench state log", "sha256").hex()[:8]
    return f"{profile.verification.value} {profile.switches.compression} {profile.output} {policy} {mask}"


def _check_header(found: Header, wanted: Header, folder: str) -> None:
    for name, what in (
        ("source", "another source"),
        ("request_sha256", "another request"),
        ("settings", "other settings"),
        ("columns", "other columns, which the table had then"),
    ):
        if getattr(found, name) != getattr(wanted, name):
            raise ResumeError(f"{folder} holds an unfinished output of {what}: ask for the same, or name a new folder")


def _parse_header(record: bytes, folder: str) -> Header:
    # Loading pydantic takes longer than a small extraction, and beginning an output does without it.
    from pydantic import TypeAdapter, ValidationError

    try:
        header: Header = TypeAdapter(Header).validate_json(record)
    except ValidationError:
        raise _unreadable(folder) from None
    if header.format_version != _FORMAT_VERSION:
        raise _unreadable(folder)
    return header


def _read_committed(records: tuple[bytes, ...], folder: str, place: str) -> list[Committed]:
    """The partitions that are committed. Raises ResumeError when a file is not there as it was noted."""
    if not records:
        return []
    from pydantic import TypeAdapter, ValidationError

    try:
        found: list[Committed] = [TypeAdapter(Committed).validate_json(record) for record in records]
    except ValidationError:
        raise _unreadable(folder) from None
    for record in found:
        _check_file(Path(place), record.partition, folder, "state log")
    return found


def _check_file(place: Path, partition: ManifestPartition, folder: str, noted_in: str) -> None:
    """Raise ResumeError unless the partition's file is there, in the size that it was committed with."""
    path = place / partition.file
    if path.name != partition.file or path.is_symlink() or not path.is_file() or path.stat().st_size != partition.size_bytes:
        raise ResumeError(
            f"{folder}: {partition.file} is not as the {noted_in} notes it: remove the folder and start the extraction again"
        )


def _unreadable(folder: str) -> ResumeError:
    return ResumeError(f"the state log in {folder} is of another version of jivsbench: finish it with that one, or start again")


def _format(record: Header | Committed) -> bytes:
    return json.dumps(asdict(record)).encode()
