"""Mistakes in options of comparisons are named before anything starts."""

import pytest
from click.testing import CliRunner

from jivsbench.cli.failure import exit_code_of
from jivsbench.cli.root import root
from jivsbench.config.percent import parse_percent
from jivsbench.errors import ConfigError, GateError, JivsbenchError
from jivsbench.exitcodes import ExitCode


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("one-run",), ExitCode.USAGE, "name RUN_A and RUN_B"),
        (("--criterion", "job.response p59"), ExitCode.USAGE, "did you mean 'job.response p95'?"),
        (("--margin", "5"), ExitCode.USAGE, "with its sign, such as '5%'"),
        (("--budget", "1s"), ExitCode.USAGE, "2 pairs cannot show 95 % confidence"),
        (("--pairs", "6", "--alpha", "0.1%"), ExitCode.USAGE, "play at least 11, or raise the budget"),
        (("--gates", "missing.toml"), ExitCode.USAGE, "missing.toml"),
        (("--gates", "quality-gate"), ExitCode.USAGE, "comparing neither attacks a target nor reads files"),
        (("--gates", "soak"), ExitCode.USAGE, "answers a question that this scenario does not ask"),
        (("a", "b", "--gates", "quality-gate"), ExitCode.USAGE, "'jivsbench gate RUN_B --gates FILE --against RUN_A'"),
        (("--washout", "250ms"), ExitCode.USAGE, "measures nothing: make the block longer"),
        (("--profiles", "legacy", "optimised"), ExitCode.USAGE, "did you mean 'optimized'?"),
        (("--a-env", "."), ExitCode.ENVIRONMENT, "it has no bin/python"),
        (("--a-env", "/bin/false"), ExitCode.ENVIRONMENT, "failed (without a word): install jivsbench"),
        (("--a-plugin", "no_such_module"), ExitCode.ENVIRONMENT, "no_such_module"),
    ],
)
def test_mistakes_are_named_before_anything_starts(tmp_path, monkeypatch, options, status, message):
    """One error with what to do, the right exit code, no run folder."""
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(root, ["compare", *options], standalone_mode=False)

    assert isinstance(ended.exception, JivsbenchError)
    assert exit_code_of(ended.exception) == status
    assert message in str(ended.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "ratio"), [("5%", 0.05), (" 2.5 % ", 0.025), ("100%", 1.0)])
def test_a_share_is_read_with_its_sign(text, ratio):
    """Percent and fraction are never mixed up."""
    assert parse_percent(text) == pytest.approx(ratio)


@pytest.mark.parametrize("text", ["5", "0.05", "0%", "-5%", "five%", ""])
def test_a_share_without_its_sign_is_refused(text):
    """0.05 could mean either."""
    with pytest.raises(ConfigError, match="such as '5%'"):
        parse_percent(text)


def test_a_gate_over_a_window_is_refused_before_anything_starts(tmp_path, monkeypatch):
    """Blocks of a quarter of a second have no windows of ten."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text('gates = ["http.response p95 < 200 ms for 10s"]')
    ended = CliRunner().invoke(root, ["compare", "--gates", "own.toml"], standalone_mode=False)

    assert isinstance(ended.exception, GateError)
    assert "leave out 'for 10s'" in str(ended.exception)
