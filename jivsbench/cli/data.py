"""`jivsbench data load|verify|drop`."""

from dataclasses import asdict

import click

from jivsbench.cli.options import json_option, read_registry, read_settings
from jivsbench.errors import ConfigError
from jivsbench.exitcodes import ExitCode
from jivsbench.model.source import DataSource
from jivsbench.plugins import Registry

_SOURCE_HELP = "Database to work on, as a user who may write. Default: the configuration's source."


@click.group()
def data() -> None:
    """Load, verify or drop the seeded test table `bench_rows`."""


@data.command()
@click.argument("size", default="100k")
@click.option("--seed", type=int, help="Seed of the rows. Default: the one that every figure in the docs uses.")
@click.option("--source-url", help=_SOURCE_HELP)
@json_option
@click.pass_context
def load(ctx: click.Context, size: str, seed: int | None, source_url: str | None, as_json: bool) -> ExitCode:
    """Load SIZE rows (1k, 10k, 50k, 100k, 1m, 10m or a number) of test data."""
    from jivsbench.app.data import load_dataset
    from jivsbench.cli.durations import format_seconds
    from jivsbench.cli.terminal import Terminal, print_json
    from jivsbench.dataset import SEED, Dataset, parse_size

    dataset = Dataset(parse_size(size), SEED if seed is None else seed)
    registry, owner = _open(ctx, source_url)
    with Terminal() as terminal:
        loaded = load_dataset(registry, owner, dataset, terminal)
    if as_json:
        print_json(asdict(loaded))
    else:
        click.echo(f"loaded {loaded.rows:,} rows into {loaded.table} in {format_seconds(loaded.duration_s)} (seed {loaded.seed})")
    return ExitCode.PASSED


@data.command()
@click.argument("size", default="100k")
@click.option("--seed", type=int, help="Seed that the rows were loaded with.")
@click.option("--source-url", help="Database to read. Default: the configuration's source.")
@click.pass_context
def verify(ctx: click.Context, size: str, seed: int | None, source_url: str | None) -> ExitCode:
    """Compare every value of the table with the one that its seed gives."""
    from jivsbench.app.data import verify_loaded
    from jivsbench.dataset import SEED, Dataset, parse_size

    dataset = Dataset(parse_size(size), SEED if seed is None else seed)
    registry, source = _open(ctx, source_url)
    verify_loaded(registry, source, dataset)
    click.echo(f"verified: all {dataset.rows:,} rows are those of seed {dataset.seed}")
    return ExitCode.PASSED


@data.command()
@click.option("--source-url", help=_SOURCE_HELP)
@click.pass_context
def drop(ctx: click.Context, source_url: str | None) -> ExitCode:
    """Drop the test table."""
    from jivsbench.app.data import drop_dataset

    registry, owner = _open(ctx, source_url)
    click.echo("dropped table bench_rows" if drop_dataset(registry, owner) else "there was no table bench_rows")
    return ExitCode.PASSED


def _open(ctx: click.Context, source_url: str | None) -> tuple[Registry, DataSource]:
    from jivsbench.app.servers import named_source

    settings = read_settings(ctx, source_url=source_url)
    registry = read_registry(settings)
    source = named_source(settings, registry)
    if source is None:
        raise ConfigError(
            "test data needs a database, and none is named: give --source-url, set JIVSBENCH_SOURCE_URL, "
            "or write [source] url into jivsbench.toml (`jivsbench init`)"
        )
    return registry, source
