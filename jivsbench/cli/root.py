"""The `jivsbench` command: names and one-line helps of its commands, each imported when it is called."""

import difflib
from importlib import import_module
from typing import Any, Final

import click

from jivsbench import __version__
from jivsbench.cli.blanks import refuse_blanks
from jivsbench.cli.closed_output import tell_closed_output

_COMMANDS: Final = {
    "demo": "Everything on embedded servers: data, legacy against optimized, checks, verdict, report.",
    "init": "Write a commented jivsbench.toml.",
    "doctor": "Are servers, grants, plugins and folders as a run needs them?",
    "data": "Load, verify or drop the seeded test table.",
    "run": "Run a scenario against one profile, judge it, report.",
    "compare": "Compare two live targets, or two stored runs: worse, better, equivalent, or not known yet.",
    "calibrate": "Compare a target with itself: the noise floor and the smallest effect this machine can show.",
    "plan": "Say how long an effect must be measured here.",
    "ablate": "Turn off each switch and guard of a profile in turn: what does each give, or cost?",
    "worker": "Be one load machine of a run on another machine.",
    "check": "Attack a running target with the security checks.",
    "guards": "Judge the loaded guards on labelled statements: precision, recall, time.",
    "extract": "Extract one table into verified Parquet files.",
    "gate": "Judge a finished run again.",
    "audit": "Is a result file, ours or another tool's, consistent with itself?",
    "baseline": "Keep a run as the one that later runs are held against.",
    "history": "Figures of many runs over time, and where their level changed.",
    "report": "Render the reports of a finished run again.",
    "index": "Write a page over all runs, with their figures over time.",
    "serve": "Run the extraction service alone.",
    "credentials": "Make and change the key that encrypts stored URLs.",
    "trail": "Is a service's audit trail what was written?",
    "sbom": "List what is installed, as CycloneDX.",
    "plugins": "List plugins: name, version, origin, hooks.",
    "completion": "Print the completion script of a shell.",
}


class LazyCommands(click.Group):
    """A group that imports a command's module when the command is called, and knows the helps without it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The whole command line, of which no word may be blank. Help and version are printed here."""
        if not ctx.resilient_parsing:
            refuse_blanks(args)
        with tell_closed_output():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """The command itself, to its end or to that of whoever reads it."""
        with tell_closed_output():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, freshly imported; None for an unknown name."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"jivsbench.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The list of commands, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was asked for, or an error with the nearest one that exists."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], _COMMANDS, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else "see 'jivsbench --help'"
            raise click.UsageError(f"no command is called '{args[0]}': {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="jivsbench")
@click.option("--config", type=click.Path(dir_okay=False), help="Configuration file. Default: ./jivsbench.toml when it exists.")
@click.pass_context
def root(ctx: click.Context, config: str | None) -> None:
    """Benchmark, attack and gate data extraction. Nothing here is simulated, estimated or hard-coded."""
    state: dict[str, Any] = ctx.ensure_object(dict)
    state["config"] = config
