"""Where batches end: files of a format, under one commit rule for all formats."""

from jivsbench.extract.sinks.encoding import ColumnReader, Encoding
from jivsbench.extract.sinks.file_sink import FileSink, WrittenFile, add_up_escaped_cells
from jivsbench.model.output import OutputFormat
from jivsbench.model.profile import Profile
from jivsbench.model.table import ExtractionRequest

__all__ = [
    "ColumnReader",
    "Encoding",
    "FileSink",
    "WrittenFile",
    "add_up_escaped_cells",
    "build_encoding",
    "choose_encoding",
    "choose_format",
]


def choose_format(request: ExtractionRequest, profile: Profile) -> OutputFormat:
    """The format that a request's output has."""
    return request.format or profile.output.format


def choose_encoding(request: ExtractionRequest, profile: Profile) -> Encoding:
    """The encoding of a request's output."""
    return build_encoding(
        choose_format(request, profile),
        is_compressed=profile.switches.compression,
        escape_formulas=profile.output.escape_formulas,
    )


def build_encoding(output_format: OutputFormat, *, is_compressed: bool, escape_formulas: bool = True) -> Encoding:
    """The encoding of a format. Only that one's library is loaded."""
    match output_format:
        case OutputFormat.PARQUET:
            from jivsbench.extract.sinks.parquet import ParquetEncoding

            return ParquetEncoding(is_compressed)
        case OutputFormat.ARROW:
            from jivsbench.extract.sinks.arrow_ipc import ArrowEncoding

            return ArrowEncoding(is_compressed)
        case OutputFormat.CSV:
            from jivsbench.extract.sinks.csv import CsvEncoding

            return CsvEncoding(is_compressed, escape_formulas)
        case OutputFormat.JSONL:
            from jivsbench.extract.sinks.jsonl import JsonLinesEncoding

            return JsonLinesEncoding(is_compressed)
