"""`jivsbench extract`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jivsbench.cli.options import json_option, read_registry, read_settings
from jivsbench.exitcodes import ExitCode

if TYPE_CHECKING:
    from jivsbench.extract.incremental import Series
    from jivsbench.extract.manifest import IncrementMode
    from jivsbench.model.job import ExtractionResult
    from jivsbench.model.profile import Profile


@click.command()
@click.argument("source")
@click.argument("table")
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path), help="Folder to make and to write into.")
@click.option("--columns", help="Columns to extract, separated by commas. Default: all.")
@click.option("--limit", "row_limit", type=click.IntRange(0), help="Rows at most.")
@click.option("--profile", default="optimized", show_default=True, help="Profile of the extraction core.")
@click.option("--streams", type=click.IntRange(1), help="Parallel readers. Default: one a core, at most the profile's number.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(1), default=3600, show_default=True, help="Seconds that it may take at most."
)
@click.option(
    "--verify",
    "verification",
    type=click.Choice(["count", "columns", "rows"]),
    help="Compare with the source: rows, the figures of every column too, or every row. Default: the profile's.",
)
@click.option(
    "--resume",
    "is_resumable",
    is_flag=True,
    help="Commit partition by partition, and go on from there when the same command was ended before.",
)
@click.option(
    "--partition-rows",
    type=click.IntRange(1),
    default=250_000,
    show_default=True,
    help="With --resume: rows of a partition, which is what a crash makes a stream read again at most.",
)
@click.option(
    "--incremental", "column", help="Extract only rows that are new since the last run, by this timestamp or integer column."
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --incremental: the file that says where the next run begins.",
)
@click.option("--full", "is_full", is_flag=True, help="With --incremental: begin anew with every row.")
@click.option(
    "--overlap",
    type=click.IntRange(0, 10**9),
    help="With --incremental: seconds (of an integer: numbers) to read again. Needed where open transactions cannot be seen.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["parquet", "arrow", "csv", "jsonl"]),
    help="Format of the files, compressed with zstd as the profile says. Default: the profile's.",
)
@click.option(
    "--escape-formulas/--keep-formulas",
    "escape_formulas",
    default=None,
    help="CSV: put an apostrophe before texts that a spreadsheet would run. Default: the profile's.",
)
@json_option
@click.pass_context
def extract(
    ctx: click.Context,
    source: str,
    table: str,
    folder: Path,
    columns: str | None,
    row_limit: int | None,
    profile: str,
    streams: int | None,
    timeout_s: float,
    verification: str | None,
    output_format: str | None,
    escape_formulas: bool | None,
    is_resumable: bool,
    partition_rows: int,
    column: str | None,
    state: Path | None,
    is_full: bool,
    overlap: int | None,
    as_json: bool,
) -> ExitCode:
    """Extract TABLE of SOURCE (a name in the configuration, or a URL) into verified files."""
    from jivsbench.app.extraction import extract_next, extract_table, find_source, fit_to_one_extraction
    from jivsbench.config import find_profile
    from jivsbench.model.output import OutputFormat
    from jivsbench.model.table import ExtractionRequest, parse_table_name

    if not is_resumable and ctx.get_parameter_source("partition_rows") is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("--partition-rows belongs to --resume: give both, or leave it out")
    series = _read_series(column, state, overlap, is_full=is_full, is_resumable=is_resumable)
    settings = read_settings(ctx)
    registry = read_registry(settings)
    found = find_source(settings, registry, source)
    request = ExtractionRequest(
        source=found.name,
        table=parse_table_name(table),
        columns=tuple(name.strip() for name in columns.split(",")) if columns else (),
        row_limit=row_limit,
        transforms=settings.transforms,
        format=OutputFormat(output_format) if output_format else None,
    )
    fitted = fit_to_one_extraction(find_profile(settings, profile), streams, timeout_s)
    fitted = _apply_options(fitted, verification, escape_formulas)
    mode = None
    if series is not None:
        result, mode = extract_next(registry, fitted, found, request, folder, series=series)
    else:
        with _tell_what_stays(folder, is_resumable=is_resumable):
            resumed_rows = partition_rows if is_resumable else None
            result = extract_table(
                registry, fitted, found, request, folder, partition_rows=resumed_rows, mask_key=settings.mask_key
            )
    _show(result, folder, fitted, mode, as_json=as_json)
    return ExitCode.PASSED


def _apply_options(profile: "Profile", verification: str | None, escape_formulas: bool | None) -> "Profile":
    """The profile with what was asked for in so many words."""
    from jivsbench.model.profile import Verification

    if verification:
        profile = replace(profile, verification=Verification(verification))
    if escape_formulas is not None:
        profile = replace(profile, output=replace(profile.output, escape_formulas=escape_formulas))
    return profile


@contextmanager
def _tell_what_stays(folder: Path, *, is_resumable: bool) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if is_resumable and (kept := len(list(folder.glob("part-*")))):
            click.echo(f"{kept} files stay in {folder}: the same command goes on from there", err=True)
        raise


def _read_series(
    column: str | None, state: Path | None, overlap: int | None, *, is_full: bool, is_resumable: bool
) -> "Series | None":
    if column is None:
        if state is not None or overlap is not None or is_full:
            raise click.UsageError("--state, --full and --overlap belong to --incremental: name its column too")
        return None
    if state is None:
        raise click.UsageError("--incremental needs --state: the file that says where the next run begins")
    if is_resumable:
        raise click.UsageError("--incremental and --resume do not go together: an increment that was ended is extracted again")
    from jivsbench.extract.incremental import Series

    return Series(column, state, overlap, is_full)


def _show(result: "ExtractionResult", folder: Path, profile: "Profile", mode: "IncrementMode | None", *, as_json: bool) -> None:
    from jivsbench.cli.terminal import echo_line, print_json

    duration_s = result.duration_ns / 1e9
    if not as_json:
        size_mib = sum(file.size_bytes for file in result.files) / 2**20
        read = f"written, {result.rows_read:,} read" if result.rows_filtered else "read, written"
        counted = f"{read} (the source cannot count)" if result.rows_in_source is None else f"{read} and in the source"
        click.echo(
            f"verified by {profile.verification}: {result.rows_written:,} rows {counted}; "
            f"{len(result.files)} files, {size_mib:,.1f} MiB, {duration_s:.2f} s: {folder}"
        )
        if mode:
            click.echo(f"{mode} increment: of rows with the same key, the one of the latest increment counts")
        if result.kept_partitions:
            click.echo(
                f"resumed: {result.kept_partitions} of {len(result.files)} files were there already; "
                f"consistency: {result.consistency}"
            )
        if result.rows_filtered:
            click.echo(f"left out by transforms: {result.rows_filtered:,} of {result.rows_read:,} rows read")
        if result.changed_columns:
            echo_line(f"changed by transforms, and not compared with the source: {', '.join(result.changed_columns)}")
        for cells in result.escaped_cells:
            click.echo(
                f"column {cells.column!r}: {cells.count:,} cells got an apostrophe in front, since a spreadsheet would run them"
            )
        return
    print_json(
        {
            "folder": str(folder),
            "files": [{"name": f.name, "rows": f.row_count, "size_bytes": f.size_bytes} for f in result.files],
            "rows_read": result.rows_read,
            "rows_filtered": result.rows_filtered,
            "rows_written": result.rows_written,
            "rows_in_source": result.rows_in_source,
            "duration_s": duration_s,
            "streams": result.streams,
            "kept_partitions": result.kept_partitions,
            "consistency": result.consistency.value,
            "increment": mode,
            "verification": profile.verification.value,
            "changed_columns": list(result.changed_columns),
            "escaped_cells": {cells.column: cells.count for cells in result.escaped_cells},
        }
    )
