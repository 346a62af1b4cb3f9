"""Options of every command that plays paired blocks, and how they become a load and a rule."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from jivsbench.model.comparison import MOST_LOOKS

if TYPE_CHECKING:
    from jivsbench.app.comparison import Judging, Load

_Command = TypeVar("_Command", bound=Callable[..., Any])
_SIDES: Final = 2
_MOST_PAIRS: Final = 5000
_SHORTEST_S: Final = 0.001


def processes_option(command: _Command) -> _Command:
    """--processes."""
    option = click.option(
        "--processes",
        default=10,
        show_default=True,
        type=click.IntRange(1, 100),
        help="Processes of each target, one after the other. Of 1 the verdict holds for these two processes alone.",
    )
    return option(command)


def load_options(*, budget: str, block: str, users: int, rows: int) -> Callable[[_Command], _Command]:
    """--budget, --block, --washout, --users, --rows, --seed, --data, with these defaults."""
    options = (
        click.option(
            "--budget",
            default=budget,
            show_default=True,
            help="Load for both targets together, without warm-up and new processes.",
        ),
        click.option("--block", default=block, show_default=True, help="Length of one block."),
        click.option("--washout", default="0s", show_default=True, help="Jobs that end this soon after a switch do not count."),
        click.option("--users", default=users, show_default=True, type=click.IntRange(1, 1000), help="Users of each block."),
        click.option("--rows", default=rows, show_default=True, type=click.IntRange(1), help="Rows of one extraction."),
        click.option("--seed", type=int, help="Seed of every random choice. Default: a new one, which is printed."),
        click.option("--data", "data_size", default="100k", show_default=True, help="Rows of test data in an embedded source."),
    )
    return lambda command: _apply(command, options)


def judging_options(command: _Command) -> _Command:
    """--pairs, --criterion, --margin, --alpha, --looks."""
    return _apply(
        command,
        (
            click.option("--pairs", type=click.IntRange(6, _MOST_PAIRS), help="Pairs of blocks at most, instead of --budget."),
            click.option(
                "--criterion",
                "criteria",
                multiple=True,
                help="What is judged, such as 'job.response p95'; may be repeated. Default: 'job.response mean'.",
            ),
            click.option("--margin", default="5%", show_default=True, help="Changes within it are too small to matter."),
            click.option("--alpha", default="5%", show_default=True, help="False alarms of all criteria together, at most."),
            click.option(
                "--looks",
                default=4,
                show_default=True,
                type=click.IntRange(1, MOST_LOOKS),
                help="How often the data are looked at. 1: once.",
            ),
        ),
    )


def read_load(options: dict[str, Any], pairs: int | None = None) -> "Load":
    """The load that the options describe; `pairs` instead of what the budget gives."""
    from jivsbench.app.comparison import Load
    from jivsbench.config.duration import parse_duration
    from jivsbench.errors import UsageError

    block_s, washout_s = parse_duration(options["block"]), parse_duration(options["washout"])
    if block_s < _SHORTEST_S or washout_s >= block_s:
        raise UsageError(f"a block of {block_s:g} s with a washout of {washout_s:g} s measures nothing: make the block longer")
    fitting = int(parse_duration(options["budget"]) / (_SIDES * block_s))
    if not pairs and fitting > _MOST_PAIRS:
        raise UsageError(
            f"{options['budget']} are {fitting:,} pairs of blocks of {options['block']}, at most {_MOST_PAIRS:,} can be judged: "
            "choose longer blocks (--block) or a smaller budget (--budget)"
        )
    processes = options.get("processes", 1)
    return Load(options["users"], options["rows"], block_s, washout_s, pairs=pairs or fitting, processes=processes)


def read_judging(options: dict[str, Any], *, has_gates: bool = False) -> "Judging":
    """The judging that the options describe; with gates, by no criterion that nobody named."""
    from jivsbench.app.comparison import DEFAULT_CRITERION, Judging
    from jivsbench.config.percent import parse_percent

    criteria = options["criteria"] or (() if has_gates else (DEFAULT_CRITERION,))
    return Judging(criteria, parse_percent(options["margin"]), parse_percent(options["alpha"]), options["looks"])


def _apply(command: _Command, options: tuple[Callable[[_Command], _Command], ...]) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command
