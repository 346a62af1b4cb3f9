"""The formats that are read."""

from typing import Final

from jivsbench_files.columnar import ParquetFormat
from jivsbench_files.delimited import DelimitedFormat
from jivsbench_files.json_records import JsonArrayFormat, JsonLinesFormat
from jivsbench_files.tables import Format
from jivsbench_files.workbook import WorkbookFormat
from jivsbench_files.xml_records import XmlFormat

FORMATS: Final[tuple[Format, ...]] = (
    DelimitedFormat(),
    JsonLinesFormat(),
    JsonArrayFormat(),
    ParquetFormat(),
    WorkbookFormat(),
    XmlFormat(),
)
"""In the order in which their suffixes are looked for."""
