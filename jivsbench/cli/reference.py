"""The reference of all commands as Markdown, made from the commands themselves: docs/cli.md."""

from collections.abc import Iterator

import click

from jivsbench.cli.root import root

_HEAD = """\
# Commands

Made from the commands themselves; `JIVSBENCH_UPDATE_DOCS=1 pytest tests/unit/test_cli_reference.py` makes it again.
"""
_EXIT_CODES = """\
## Exit codes

| code | meaning |
|---|---|
| 0 | passed |
| 1 | a gate failed, or an extraction or a check did |
| 2 | usage or configuration |
| 3 | passed with conditions |
| 4 | nothing valid was measured |
| 5 | environment: a server, plugin, folder or port is not as needed |
| 129 | ended by SIGHUP, as when the terminal is closed, in the same way as by Ctrl-C |
| 130 | interrupted by Ctrl-C: children are stopped, and what was measured so far is kept, marked invalid |
| 141 | whoever read the output went away before its end, as `head` does: says nothing of gates |
| 143 | ended by SIGTERM, in the same way |
"""


def render_reference() -> str:
    """The whole of docs/cli.md."""
    return "\n".join([_HEAD, *_render(root, "jivsbench", None), _EXIT_CODES])


def _render(command: click.Command, path: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(
        command,
        info_name=path.rpartition(" ")[2],
        parent=parent,
        terminal_width=100,
        max_content_width=100,
        **command.context_settings,
    )
    yield f"## `{path}`\n\n```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _render(child, f"{path} {name}", context)
