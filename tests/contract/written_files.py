"""The contract's table as a file of each format, written without this project: types that a format lacks are declared."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

import openpyxl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from jivsbench.model.table import TableName
from jivsbench.testing.contract_table import LoadedTable, new_table_name

DECLARED = """[columns]
id = "int64"
name = "string"
amount = "decimal(12,2)"
ratio = "float64"
is_active = "bool"
created_at = "timestamptz"
"""


def write_csv(rows: pa.Table, path: Path) -> None:
    """Texts are quoted, NULL is nothing."""
    pacsv.write_csv(rows, path)
    path.with_name(path.name + ".columns.toml").write_text(DECLARED)


def write_parquet(rows: pa.Table, path: Path) -> None:
    """In row groups, so that there is something to divide."""
    pq.write_table(rows, path, row_group_size=300)


def write_json_lines(rows: pa.Table, path: Path) -> None:
    """Decimals and moments are texts."""
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows.to_pylist()))
    path.with_name(path.name + ".columns.toml").write_text(DECLARED)


def write_json_array(rows: pa.Table, path: Path) -> None:
    """The same in one array."""
    path.write_text(json.dumps(rows.to_pylist(), default=str, ensure_ascii=False, indent=1))
    path.with_name(path.name + ".columns.toml").write_text(DECLARED)


def write_xml(rows: pa.Table, path: Path) -> None:
    """NULL is no element."""

    def element(name: str, value: object) -> str:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>"

    lines = ["".join(element(name, value) for name, value in row.items() if value is not None) for row in rows.to_pylist()]
    path.write_text("<rows>\n" + "\n".join(f"<row>{line}</row>" for line in lines) + "\n</rows>")
    path.with_name(path.name + ".columns.toml").write_text(DECLARED)


def _to_cell(value: object) -> object:
    """As Excel writes it: a carriage return would be a line feed to every reader of XML."""
    if isinstance(value, str):
        return value.replace("\r", "_x000D_")
    return str(value) if isinstance(value, datetime) else value


def fit_workbook(rows: pa.Table) -> pa.Table:
    """What a workbook can hold of the rows: no empty text, and of floats the 16 digits that openpyxl writes."""
    texts = [text or None for text in rows["name"].to_pylist()]
    ratios = [None if ratio is None else float(f"{ratio:.16g}") for ratio in rows["ratio"].to_pylist()]
    fitted = rows.set_column(rows.column_names.index("name"), rows.schema.field("name"), pa.array(texts))
    return fitted.set_column(rows.column_names.index("ratio"), rows.schema.field("ratio"), pa.array(ratios))


def write_workbook(rows: pa.Table, path: Path) -> None:
    """Decimals are floats there, moments texts; a cell cannot tell NULL from the empty text."""
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet("rows")
    sheet.append(rows.column_names)
    for row in rows.to_pylist():
        sheet.append([_to_cell(value) for value in row.values()])
    workbook.save(path)
    path.with_name(path.name + ".columns.toml").write_text(DECLARED)


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    ".csv": write_csv,
    ".parquet": write_parquet,
    ".jsonl": write_json_lines,
    ".json": write_json_array,
    ".xml": write_xml,
    ".xlsx": write_workbook,
}


def write_file(rows: pa.Table, folder: Path, suffix: str) -> LoadedTable:
    """The rows as a new file of that format in `folder`."""
    name = new_table_name().name + suffix
    WRITERS[suffix](rows, folder / name)
    return LoadedTable(TableName(name), rows)
