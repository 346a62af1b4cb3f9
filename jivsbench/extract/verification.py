"""Verified means: what the source has, what was read and what lies on disk are the same number of rows."""

from dataclasses import dataclass

from jivsbench.errors import VerificationError


@dataclass(frozen=True, slots=True)
class PartitionCounts:
    """Rows of one partition, counted in three places that know nothing of each other.

    `rows_in_source`: by the server, under the snapshot that was read. `rows_read`: in the batches that arrived.
    `rows_written`: in the footer of the closed file, read back from the disk.
    """

    index: int
    rows_in_source: int
    rows_read: int
    rows_written: int


def verify_counts(job_id: str, asked: str, counts: PartitionCounts) -> None:
    """Raise VerificationError, naming the partition, unless all three agree."""
    if counts.rows_in_source == counts.rows_read == counts.rows_written:
        return
    raise VerificationError(
        f"job {job_id}, partition {counts.index} of {asked}: the source has {counts.rows_in_source} rows, "
        f"{counts.rows_read} were read and {counts.rows_written} lie on disk; no output was kept, start the job again"
    )
