"""Verified means: what the source has, what was read and what lies on disk agree, in rows or in the figures of every column."""

from dataclasses import dataclass

from jivsbench.errors import VerificationError
from jivsbench.extract.sinks import ColumnReader
from jivsbench.model.fingerprint import ColumnFingerprint, fingerprint_column, join_fingerprints


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


def verify_counts(job_id: str, asked: str, counts: PartitionCounts) -> None:
    """Raise VerificationError, naming the partition, unless all that count agree."""
    in_source = counts.rows_read if counts.rows_in_source is None else counts.rows_in_source
    if in_source == counts.rows_read == counts.rows_written + counts.rows_filtered:
        return
    filtered = f", {counts.rows_filtered} filtered" if counts.rows_filtered else ""
    raise VerificationError(
        f"job {job_id}, partition {counts.index} of {asked}: the source has {in_source} rows, "
        f"{counts.rows_read} were read{filtered} and {counts.rows_written} lie on disk; no output was kept, start the job again"
    )


def read_fingerprints(reader: ColumnReader, path: str) -> tuple[ColumnFingerprint, ...]:
    """The figures of every column of a file, read back from the disk. Raises OSError or ArrowException when it cannot be."""
    return join_fingerprints(
        tuple(fingerprint_column(name, values) for name, values in columns) for columns in reader.read_columns(path)
    )


def verify_columns(
    job_id: str, asked: str, index: int, expected: tuple[ColumnFingerprint, ...], found: tuple[ColumnFingerprint, ...]
) -> None:
    """Raise VerificationError naming partition and column where they differ, but no figure: an extreme is a row's value."""
    for source, disk in zip(expected, found, strict=True):
        differing = [name for name in ("null_count", "total", "least", "greatest") if _differs(source, disk, name)]
        if differing:
            raise VerificationError(
                f"job {job_id}, partition {index} of {asked}: column {disk.name!r} on disk differs from the source in its "
                f"{', '.join(differing)}; no output was kept, start the job again"
            )


def _differs(source: ColumnFingerprint, disk: ColumnFingerprint, figure: str) -> bool:
    # The server gives None where it has nothing exact to say; that a column is empty is told by its NULLs.
    expected = getattr(source, figure)
    return expected is not None and expected != getattr(disk, figure)
