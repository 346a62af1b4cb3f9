"""How much a file may ask of this process. Each limit is an option of the URL, and a refusal names it."""

from dataclasses import dataclass

from jivsbench.errors import ExtractionError

MIB = 1 << 20
GIB = 1 << 30
RATIO_FREE_BYTES = 16 * MIB
"""So much may come out of a file at any ratio: small files of equal rows compress a thousandfold and harm nobody."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Limits of one source. The unit is in the name."""

    max_unpacked_bytes: int = 64 * GIB
    """What one compressed file may unpack to."""
    max_unpack_ratio: int = 200
    """Bytes out for one byte in, past the first 16 MiB."""
    max_record_bytes: int = 4 * MIB
    """One row of CSV, JSON or XML; memory grows with a few times this size."""
    max_columns: int = 10_000
    max_nesting_levels: int = 64
    """Of JSON values and XML elements."""
    max_workbook_bytes: int = 256 * MIB
    """All parts of one .xlsx file, unpacked."""
    max_page_bytes: int = 64 * MIB
    """One page of Parquet, unpacked."""
    max_batch_bytes: int = 256 * MIB
    """One batch of rows out of Parquet, whose dictionaries can make much out of little."""
    max_files: int = 10_000
    """Files of a listing, a folder or a glob."""


def refuse_excess(where: str, limit: str, allowed: int, found: str) -> ExtractionError:
    """The error for a limit that was passed: where, what was found, what is allowed, and which option raises it."""
    return ExtractionError(
        f"{where}: {found}, and the limit is {allowed:,}: if the file is to be trusted, raise {limit} in the URL"
    )
