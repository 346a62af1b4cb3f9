"""`compare A B`: two finished runs, one after the other. Weak, and it says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jivsbench.analysis.stored import (
    DEFAULT_FIGURES,
    Allowance,
    Difference,
    Measured,
    StoredResult,
    compare_stored,
    find_differences,
)
from jivsbench.analysis.summary import summarize
from jivsbench.app.conclusion import find_run, refuse_changed, refuse_invalid, require_figures
from jivsbench.errors import UsageError
from jivsbench.model.comparison import Criterion
from jivsbench.model.record import RunRecord
from jivsbench.report.bundle import read_record


@dataclass(frozen=True, slots=True)
class StoredComparison:
    """Both runs by name and arm, the figures, and what differs between them because the user allowed it."""

    a: str
    b: str
    results: tuple[StoredResult, ...]
    allowed: tuple[Difference, ...]


def compare_runs(
    reports_dir: Path, names: tuple[str, str], figures: Sequence[Criterion], margin_ratio: float, allow: Sequence[Allowance]
) -> StoredComparison:
    """Compare two bundles.

    Raises UsageError for differences that nobody allowed, InvalidRunError for an invalid run, ConfigError for a changed one.
    """
    folders = [find_run(reports_dir, name) for name in names]
    for folder in folders:
        refuse_changed(folder)
    records = [read_record(folder) for folder in folders]
    for record in records:
        refuse_invalid(record)
    a, b = (_measure(folder, record) for folder, record in zip(folders, records, strict=True))
    chosen = tuple(figures) or DEFAULT_FIGURES
    found = find_differences(a, b, chosen)
    forbidden = [difference for difference in found if difference.allowance not in allow]
    if forbidden:
        flags = " ".join(dict.fromkeys(f"--allow {difference.allowance}" for difference in forbidden))
        raise UsageError(
            f"runs {' and '.join(record.run_id for record in records)} cannot be compared: "
            f"{'; '.join(difference.text for difference in forbidden)}: "
            f"compare runs that share these, or add {flags}"
        )
    results = compare_stored(a, b, chosen, margin_ratio, drift_allowed=Allowance.DRIFT in allow)
    labels = [f"{record.run_id} {record.plan.candidate}" for record in records]
    return StoredComparison(labels[0], labels[1], results, found)


def _measure(folder: Path, record: RunRecord) -> Measured:
    with require_figures(folder):
        return record, summarize(record)
