"""`jivsbench demo`."""

import click

from jivsbench.cli.options import json_option, read_registry, read_settings, reports_option
from jivsbench.exitcodes import ExitCode


@click.command()
@click.option("--pairs", default=6, show_default=True, type=click.IntRange(1, 200), help="Pairs of blocks to compare.")
@click.option("--block", "block_s", default=8.0, show_default=True, type=click.FloatRange(1, 600), help="Seconds of one block.")
@click.option("--seed", type=int, help="Seed of every random choice.")
@reports_option
@json_option
@click.pass_context
def demo(ctx: click.Context, pairs: int, block_s: float, seed: int | None, reports_dir: str | None, as_json: bool) -> ExitCode:
    """The main job on embedded servers: data, legacy against optimized, checks, verdict, report.

    It has time for two security checks, so its verdict is CONDITIONAL at best (exit code 3): production waits for the others.
    """
    from jivsbench.app.plans import DEFAULT_SEED
    from jivsbench.app.scenarios import DemoOptions, run_demo
    from jivsbench.cli.outcome import finish
    from jivsbench.cli.terminal import Terminal

    chosen = DemoOptions(pairs=pairs, block_s=block_s, seed=DEFAULT_SEED if seed is None else seed)
    settings = read_settings(ctx, reports_dir=reports_dir)
    registry = read_registry(settings)
    with Terminal() as terminal:
        outcome = run_demo(settings, registry, chosen, terminal)
    return finish(outcome, as_json=as_json)
