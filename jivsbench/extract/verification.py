"""Verified means: what the source has, what was read and what lies on disk agree, in rows or in the figures of every column."""

from dataclasses import dataclass

import pyarrow as pa

from jivsbench.api import ColumnFingerprinter, Connection, RowFingerprinter
from jivsbench.errors import ExtractionError, VerificationError
from jivsbench.extract.sinks import ColumnReader
from jivsbench.model.fingerprint import ColumnFingerprint, fingerprint_column, join_fingerprints
from jivsbench.model.profile import Verification
from jivsbench.model.row_fingerprint import RowFingerprint, fingerprint_rows, join_row_fingerprints
from jivsbench.model.table import Partition


@dataclass(frozen=True, slots=True)
class PartitionCounts:
    """Rows of one partition, counted in three places that know nothing of each other.

    `rows_in_source`: by the source, under the view that was read; None when it cannot count. `rows_read`: in the batches
    that arrived. `rows_written`: in the closed file, read back from the disk. `rows_filtered`: left out by a transform.
    """

    index: int
    rows_in_source: int | None
    rows_read: int
    rows_written: int
    rows_filtered: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A partition of a job, as messages name it."""

    job_id: str
    partition: Partition

    def build_error(self, found: str) -> VerificationError:
        """What differs, and what to do about it."""
        request = self.partition.request
        advice = "start the job again"
        if request.query is not None:
            # A view may hide such a call too, but then it is not the text that was asked for.
            advice += ", or change the query if it calls random(), clock_timestamp() or the like: then two readings may differ"
        where = f"job {self.job_id}, partition {self.partition.index} of {request.table or 'the query'}"
        return VerificationError(f"{where}: {found}; no output was kept, {advice}")


def verify_counts(comparison: Comparison, counts: PartitionCounts) -> None:
    """Raise VerificationError, naming the partition, unless all that count agree."""
    in_source = counts.rows_read if counts.rows_in_source is None else counts.rows_in_source
    if in_source == counts.rows_read == counts.rows_written + counts.rows_filtered:
        return
    filtered = f", {counts.rows_filtered} filtered" if counts.rows_filtered else ""
    raise comparison.build_error(
        f"the source has {in_source} rows, {counts.rows_read} were read{filtered} and {counts.rows_written} lie on disk"
    )


def check_ability(connection: Connection, connector: str, level: Verification) -> None:
    """Raise ExtractionError when the source cannot be compared at this level: before anything is read, not after."""
    if level is Verification.COLUMNS and not isinstance(connection, ColumnFingerprinter):
        raise ExtractionError(f"the connector {connector} computes no figures of columns: verify by count")
    if level is Verification.ROWS and not isinstance(connection, RowFingerprinter):
        raise ExtractionError(f"the connector {connector} computes no fingerprints of rows: verify by columns or by count")


def read_fingerprints(reader: ColumnReader, path: str) -> tuple[ColumnFingerprint, ...]:
    """The figures of every column of a file, read back from the disk. Raises OSError or ArrowException when it cannot be."""
    return join_fingerprints(
        tuple(fingerprint_column(name, values) for name, values in columns) for columns in reader.read_columns(path)
    )


def verify_columns(comparison: Comparison, expected: tuple[ColumnFingerprint, ...], found: tuple[ColumnFingerprint, ...]) -> None:
    """Raise VerificationError naming partition and column where they differ, but no figure: an extreme is a row's value."""
    for source, disk in zip(expected, found, strict=True):
        differing = [name for name in ("null_count", "total", "least", "greatest") if _differs(source, disk, name)]
        if differing:
            raise comparison.build_error(f"column {disk.name!r} on disk differs from the source in its {', '.join(differing)}")


def _differs(source: ColumnFingerprint, disk: ColumnFingerprint, figure: str) -> bool:
    # The server gives None where it has nothing exact to say; that a column is empty is told by its NULLs.
    expected = getattr(source, figure)
    return expected is not None and expected != getattr(disk, figure)


def read_row_fingerprint(reader: ColumnReader, path: str) -> RowFingerprint:
    """The fingerprint of every row of a file, read back from the disk group by group. Raises as `read_fingerprints` does."""
    groups = (pa.Table.from_pydict(dict(columns)) for columns in reader.read_columns(path))
    return join_row_fingerprints(fingerprint_rows(batch) for group in groups for batch in group.to_batches())


def verify_rows(comparison: Comparison, expected: RowFingerprint, found: RowFingerprint) -> None:
    """Raise VerificationError naming the partition unless every row on disk is one of the source's."""
    if expected != found:
        raise comparison.build_error("the rows on disk are not those of the source, by the fingerprint of every row")
