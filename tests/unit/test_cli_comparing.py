"""Mistakes in options of comparisons are named before anything starts."""

import pytest
from click.testing import CliRunner

from jivsbench.cli.failure import exit_code_of
from jivsbench.cli.root import root
from jivsbench.config.percent import parse_percent
from jivsbench.errors import ConfigError, GateError, JivsbenchError, UsageError
from jivsbench.exitcodes import ExitCode


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("one-run",), ExitCode.USAGE, "name RUN_A and RUN_B"),
        (("--criterion", "job.response p59"), ExitCode.USAGE, "did you mean 'job.response p95'?"),
        (("--margin", "5"), ExitCode.USAGE, "with its sign, such as '5%'"),
        (("--budget", "1s"), ExitCode.USAGE, "2 pairs: 10 processes want a pair each, so play at least 10"),
        (("--budget", "1s", "--processes", "1"), ExitCode.USAGE, "2 pairs: they cannot show 95 % confidence, so play at least 6"),
        (("--processes", "3"), ExitCode.USAGE, "3 processes cannot show 95 % confidence: let there be at least 6"),
        (("--alpha", "0.1%"), ExitCode.USAGE, "10 processes cannot show anything at this alpha and so many criteria: let there"),
        (("--processes", "1", "--pairs", "6", "--alpha", "0.1%"), ExitCode.USAGE, "so many criteria: play at least 11"),
        (("--processes", "1", "--budget", "2h"), ExitCode.USAGE, "14,400 pairs of blocks of 250ms, at most 5,000 can be judged"),
        (("--alpha", "0.000000000000001%"), ExitCode.USAGE, "can show nothing: choose a larger one"),
        (("--gates", "missing.toml"), ExitCode.USAGE, "missing.toml"),
        (("--gates", "quality-gate"), ExitCode.USAGE, "comparing neither attacks a target nor reads files"),
        (("--gates", "soak"), ExitCode.USAGE, "answers a question that this scenario does not ask"),
        (("a", "b", "--gates", "quality-gate"), ExitCode.USAGE, "'jivsbench gate RUN_B --gates FILE --against RUN_A'"),
        (
            (
                "a",
                "b",
                "--pairs",
                "9",
                "--alpha",
                "5%",
                "--seed",
                "1",
                "--profiles",
                "legacy",
                "optimized",
                "--source-url",
                "postgresql://h/d",
            ),
            ExitCode.USAGE,
            "--profiles, --seed, --pairs, --alpha, --source-url would do nothing here, for two stored runs are compared",
        ),
        (("a", "b", "--b-plugin", "x"), ExitCode.USAGE, "--b-plugin would do nothing here"),
        (("--allow", "drift"), ExitCode.USAGE, "--allow would do nothing here, for it says what may differ between two stored"),
        (("--gates", "g", "--alpha", "1%"), ExitCode.USAGE, "--alpha would do nothing here, for gates alone judge"),
        (("--gates", "g", "--criterion", "c", "--looks", "2"), ExitCode.USAGE, "--looks would do nothing here, for with gates"),
        (("--margin", "9" * 400 + "%"), ExitCode.USAGE, "is no share: write one above 0"),
        (("--budget", "9" * 400 + "s"), ExitCode.USAGE, "is longer than anything here lasts"),
        (("--block", "9" * 306 + "h"), ExitCode.USAGE, "is longer than anything here lasts"),
        (("--block", f"0.{'0' * 310}1s"), ExitCode.USAGE, "measures nothing: make the block longer"),
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


@pytest.mark.parametrize("text", ["5", "0.05", "0%", "-5%", "five%", "", "9" * 400 + "%"])
def test_a_share_without_its_sign_is_refused(text):
    """0.05 could mean either."""
    with pytest.raises(ConfigError, match="such as '5%'"):
        parse_percent(text)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty one to be called in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("gate", "options", "error", "message"),
    [
        # No pair, no error: the gate would have been met by nothing.
        ("job.errors ratio < 1 %", ("--block", "1m"), UsageError, "0 pairs: 10 processes want a pair each"),
        ("job.errors ratio < 1 %", ("--processes", "3"), UsageError, "3 processes cannot show 95 % confidence"),
        ("list.response p95 < 100 ms", (), GateError, "list.response"),
        ("http.response p95 < 200 ms for 10s", (), GateError, "leave out 'for 10s'"),
    ],
)
def test_a_gate_that_a_comparison_cannot_answer_is_refused_before_anything_starts(folder, gate, options, error, message):
    """Too few pairs for its interval, what only another workload does, or a window: blocks of a quarter of a second have none."""
    (folder / "own.toml").write_text(f'gates = ["{gate}"]')
    ended = CliRunner().invoke(root, ["compare", "--gates", "own.toml", *options], standalone_mode=False)

    assert isinstance(ended.exception, error)
    assert message in str(ended.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--budget", "5s"), "10 pairs against 10 processes do not tell pairs from processes: play at least 20"),
        ((), "calibration.json cannot be read as calibrations of format_version 2"),
    ],
)
def test_a_calibration_that_could_not_be_stored_is_not_measured(folder, options, message):
    """Too few pairs, or a file that cannot be added to: said at once, not after minutes of load."""
    (folder / "reports").mkdir()
    (folder / "reports" / "calibration.json").write_text('{"format_version": 1, "calibrations": [{}]}')
    ended = CliRunner().invoke(root, ["calibrate", *options], standalone_mode=False)

    assert isinstance(ended.exception, JivsbenchError)
    assert message in str(ended.exception)
