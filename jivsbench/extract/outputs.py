"""When the files of an output get their names: all together at the end, which costs a small job one sync of its folder."""

from dataclasses import dataclass, field
from typing import Protocol

from jivsbench.errors import ExtractionError
from jivsbench.extract.folders import JobFolder
from jivsbench.extract.manifest import ManifestPartition
from jivsbench.extract.sinks import add_up_escaped_cells
from jivsbench.extract.streams import VerifiedPartition
from jivsbench.model.output import EscapedCells
from jivsbench.model.table import Consistency, Partition


@dataclass(frozen=True, slots=True)
class Published:
    """What lies in the folder under final names, and of which moments it is."""

    partitions: tuple[ManifestPartition, ...]
    snapshot: str | None
    """The one that all partitions were read under, if they were."""
    consistency: Consistency
    escaped_cells: tuple[EscapedCells, ...]


class Output(Protocol):
    """The output of one attempt. Either `publish`, the manifest and `finish` end it, or `abandon`."""

    @property
    def folder(self) -> JobFolder:
        """Where it lies."""
        ...

    @property
    def todo(self) -> tuple[Partition, ...]:
        """The partitions that this attempt has to read."""
        ...

    @property
    def kept_count(self) -> int:
        """Partitions that an earlier attempt had committed."""
        ...

    def commit(self, part: VerifiedPartition) -> None:
        """Take a partition whose file is synced and verified. Called from each stream's own thread."""
        ...

    def publish(self, told: Consistency) -> Published:
        """Give every file its final name. `told` is what the source says was kept while it was read."""
        ...

    def finish(self) -> None:
        """The manifest lies in the folder: nothing more is to come."""
        ...

    def abandon(self) -> None:
        """The attempt failed. Never raises."""
        ...


@dataclass(slots=True)
class WholeOutput:
    """An output that is there whole, or not at all."""

    folder: JobFolder
    todo: tuple[Partition, ...]
    snapshot: str | None
    kept_count: int = 0
    _done: list[VerifiedPartition] = field(default_factory=list)

    def commit(self, part: VerifiedPartition) -> None:
        """Keep it until all are there."""
        check_snapshot(part, self.snapshot)
        self._done.append(part)

    def publish(self, told: Consistency) -> Published:
        """Name all files."""
        partitions = tuple(describe_partition(part) for part in sorted(self._done, key=lambda part: part.counts.index))
        self.folder.publish([part.file for part in partitions])
        return Published(partitions, self.snapshot, told, add_up_escaped_cells(part.file.escaped_cells for part in self._done))

    def finish(self) -> None:
        """Nothing is left to clear away."""
        self.folder.close()

    def abandon(self) -> None:
        """No file stays."""
        self.folder.remove()


def check_snapshot(part: VerifiedPartition, snapshot: str | None) -> None:
    """Raise ExtractionError when a stream did not join the attempt's snapshot but began another: they may never be mixed."""
    if part.snapshot != snapshot:
        raise ExtractionError(
            f"partition {part.counts.index} was read under another snapshot than the first one's, which may never be mixed: "
            "report it to the connector's author"
        )


def describe_partition(part: VerifiedPartition) -> ManifestPartition:
    """A partition as the manifest has it."""
    return ManifestPartition(
        index=part.counts.index,
        file=part.file.name,
        size_bytes=part.file.size_bytes,
        rows_in_source=part.counts.rows_in_source,
        rows_read=part.counts.rows_read,
        rows_filtered=part.counts.rows_filtered,
        rows_written=part.counts.rows_written,
        snapshot=part.snapshot,
    )
