"""Guards as classifiers: the figures, and the command that prints them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.analysis.classification import Classification
from jivsbench.app.guarding import judge_guards
from jivsbench.checks.corpus import read_corpus
from jivsbench.cli.root import root
from jivsbench.errors import ConfigError, InvalidRunError
from jivsbench.exitcodes import ExitCode
from jivsbench.plugins import load_registry
from jivsbench_security.corpora import load_hostile, load_legitimate

OTHERS = ("builtin", "files", "memory", "mysql", "postgres", "redis", "rest", "sqlalchemy", "sqlite")


@given(*(st.integers(0, 1_000) for _ in range(4)))
def test_ratios_are_ratios(caught: int, missed: int, alarms: int, passed: int) -> None:
    """Between 0 and 1, None without anything to divide by, and the interval's end below the figure."""
    found = Classification(caught, missed, alarms, passed)

    assert found.recall is None if caught + missed == 0 else found.recall == caught / (caught + missed)
    assert found.precision is None if caught + alarms == 0 else found.precision == caught / (caught + alarms)
    if found.recall is not None:
        assert 0.0 <= found.recall_least <= found.recall <= 1.0


def test_all_of_three_hundred_is_not_certainty() -> None:
    """Known figure: 300 of 300 leaves a lower end of 0.9874 (Wilson)."""
    assert Classification(300, 0, 0, 200).recall_least == pytest.approx(0.98736, abs=1e-4)


@pytest.mark.parametrize("hostile", [69, 75, 125, 138, 150, 161])
def test_of_nothing_caught_the_least_is_nothing(hostile: int) -> None:
    """Where two equal terms differ in their last digit, the lower end would lie above the share itself."""
    assert Classification(0, hostile, 0, 1).recall_least == 0.0


@pytest.mark.parametrize("dialect", ["postgres", "sqlite"])
def test_the_guard_judges_every_statement_as_it_is_labelled(dialect) -> None:
    """No hostile statement is accepted and no legitimate one refused; no harmless twin needs a place on a list."""
    (judged,) = judge_guards(load_registry(disabled=OTHERS), dialect)

    assert judged.wrong == ()
    found = judged.classification
    assert (found.hostile_refused, found.hostile_accepted) == (len(load_hostile(dialect)) + 2, 0)
    assert (found.legitimate_accepted, found.legitimate_refused) == (len(load_legitimate(dialect)), 0)
    assert (found.precision, found.recall) == (1.0, 1.0)
    if dialect == "postgres":
        assert found.hostile_refused >= 150
        assert found.legitimate_accepted >= 185


def test_a_careless_guard_gets_its_figures() -> None:
    """The guard that looks at the first word: far below 1, with the names of what it let through."""
    registry = load_registry(disabled=(*OTHERS, "sqlguard"), extra_modules=["jivsbench.testing.vulnerable.prefix_guard"])
    (judged,) = judge_guards(registry, "postgres")

    assert judged.classification.recall < 0.5
    assert judged.classification.hostile_accepted >= 100
    assert len(judged.wrong) >= 100


def test_nothing_to_judge_is_never_green() -> None:
    """Without a guard, without statements, or for a dialect that nobody speaks."""
    for registry, dialect in (
        (load_registry(disabled=(*OTHERS, "sqlguard")), "postgres"),
        (load_registry(disabled=(*OTHERS, "security")), "postgres"),
        (load_registry(disabled=OTHERS), "cobol"),
    ):
        with pytest.raises(InvalidRunError, match="at least one guard"):
            judge_guards(registry, dialect)


def test_the_command_prints_precision_and_recall(monkeypatch) -> None:
    """As text and as JSON; exit code 0 only when nothing was judged wrongly."""
    monkeypatch.setenv("JIVSBENCH_DISABLE_PLUGINS", ",".join(OTHERS))
    shown = CliRunner().invoke(root, ["guards"], standalone_mode=False)
    listed = CliRunner().invoke(root, ["guards", "--json"], standalone_mode=False)

    assert shown.return_value == ExitCode.PASSED
    assert "precision 1.0000, recall 1.0000 (at least 0.9" in shown.output
    assert json.loads(listed.output)[0]["recall"] == 1.0


def test_a_corpus_is_read_line_by_line(tmp_path: Path) -> None:
    """Of a file or of all files of a folder: distinct, in order, also bytes that are no text."""
    (tmp_path / "b.txt").write_bytes(b"' OR 1=1 --\r\n\n\xff\xfe\nsame\n")
    (tmp_path / "a.txt").write_bytes(b"same\n\ttabbed \n")

    assert read_corpus(tmp_path) == ("same", "\ttabbed ", "' OR 1=1 --", "\udcff\udcfe")
    assert read_corpus(tmp_path / "a.txt") == ("same", "\ttabbed ")
    (tmp_path / "a.txt").write_bytes(b"\n\n")
    for path, words in (
        (tmp_path / "a.txt", "no payload"),
        (tmp_path / "nothing", "cannot be read"),
        (Path("/dev/zero"), "no file"),
    ):
        with pytest.raises(ConfigError, match=words):
            read_corpus(path)
