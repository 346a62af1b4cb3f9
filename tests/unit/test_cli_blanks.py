"""A blank option is a mistake, as of a variable that is not set; taken as left out, it would choose another database."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from jivsbench.cli.blanks import refuse_blanks
from jivsbench.cli.failure import exit_code_of
from jivsbench.cli.root import root
from jivsbench.errors import UsageError
from jivsbench.exitcodes import ExitCode


def ask(*words: str) -> Result:
    """A command line, to its end."""
    return CliRunner().invoke(root, words, standalone_mode=False)


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, each with every option that takes a value."""
    for param in command.params:
        if isinstance(param, click.Option) and not param.is_flag:
            yield (*path, param.opts[0])
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            child = command.get_command(click.Context(command), name)
            assert child is not None
            yield from walk(child, (*path, name))


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_no_option_of_any_command_may_be_blank(text: str) -> None:
    """Written as two words or as one; the message names the option and what to do."""
    lines = list(walk(root))

    assert {("--config",), ("run", "--source-url"), ("data", "drop", "--source-url"), ("history", "add", "--database")} <= {
        *lines
    }
    for *words, option in lines:
        for blank in ((option, text), (f"{option}={text}",)):
            ended = ask(*words, *blank)

            assert isinstance(ended.exception, UsageError), (words, blank)
            assert exit_code_of(ended.exception) == ExitCode.USAGE
            assert str(ended.exception).startswith(f"{option} is empty, ")
            assert "give it a value, or leave it out" in str(ended.exception)


def test_a_blank_argument_is_named_by_its_place() -> None:
    """Never by its neighbour, which may be a URL with a password."""
    found = [str(ask(*words).exception) for words in (("gate", ""), ("extract", "sqlite:///s3cret", ""), ("",))]

    assert [text.partition(" is")[0] for text in found] == ["argument 2", "argument 3", "argument 1"]
    assert str(ask("compare", "--profiles", "legacy", "").exception).startswith("argument 4 is empty")
    assert str(ask("gate", "--against=a", "").exception).startswith("argument 3 is empty")


def test_a_blank_database_drops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database of the configuration is not the one that was asked for."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jivsbench.toml").write_text('[source]\nurl = "nothing://opens/this"\n')

    assert isinstance(ask("data", "drop", "--source-url", "").exception, UsageError)
    assert "nothing" in str(ask("data", "drop").exception)


def test_a_value_may_end_with_an_equals_sign() -> None:
    """Only what follows the first one is the value of a word, and a flag has none."""
    refuse_blanks(["gate", "--gates=a=", "a=", "--json", "-h", "--"])
