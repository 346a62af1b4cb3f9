"""What comes from a run or a file is shown on standard output, never obeyed there."""

import contextlib
import json
import sqlite3
from dataclasses import replace

import pytest
from click.testing import CliRunner

from jivsbench.app.conclusion import conclude
from jivsbench.app.progress import Note, Step
from jivsbench.cli import main
from jivsbench.cli.root import root
from jivsbench.cli.terminal import Terminal, echo_line
from jivsbench.plugins import load_registry
from tests.unit.analysis_records import build_arm_record, build_record

HOSTILE = (
    "x\n::stop-commands::abc\r::error::planted \x1b[31m\x1b]8;;http://h\x07 [red]\u202e ##[error]planted\u2028\t::error::planted"
)


def call(*words):
    """What a command prints on standard output."""
    return CliRunner().invoke(root, [str(word) for word in words], standalone_mode=False).output


def is_harmless(text):
    """No line that CI takes for a command, nothing that a terminal obeys; the text itself is there.

    GitHub's runner looks for `::` behind leading blanks (ActionCommand.TryParseV2), and for `##[` anywhere (TryParse).
    """
    lines = text.replace("\r", "\n").split("\n")
    is_obeyed = any(line.lstrip().startswith("::") or "##[" in line for line in lines)
    return not is_obeyed and not set(text) & set("\x1b\x07\u202e") and "planted" in text


def test_a_finding_of_another_scanner_gives_no_orders(tmp_path):
    """Its text is a reason of the verdict, on one line."""
    conclude(build_record(build_arm_record()), tmp_path / "runs" / "one", load_registry())
    result = {"ruleId": HOSTILE, "message": {"text": HOSTILE}, "level": "error"}
    log = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scan", "rules": []}}, "results": [result]}]}
    (tmp_path / "scan.sarif").write_text(json.dumps(log))

    told = call("gate", "one", "--findings", tmp_path / "scan.sarif", "--reports-dir", tmp_path)

    assert is_harmless(told)
    assert "[red]" in told


def test_names_within_a_result_file_give_no_orders(tmp_path):
    """The audit names the figures of a file as the file does."""
    values = {"passes": 1, "fails": 1, "value": 0.1}
    (tmp_path / "k6.json").write_text(
        json.dumps({"metrics": {HOSTILE: {"type": "rate", "contains": "default", "values": {"rate": 0.9, **values}}}})
    )

    assert is_harmless(call("audit", tmp_path / "k6.json", "--all"))


def test_names_of_stored_runs_give_no_orders(tmp_path):
    """A scenario is called as its file says, and stands at the beginning of a line."""
    plain = build_record(build_arm_record())
    named = replace(plain.plan.scenario, name=f"::error::planted {HOSTILE}")
    record = replace(plain, started_at="::error::planted", plan=replace(plain.plan, scenario=named))
    conclude(record, tmp_path / "runs" / "one", load_registry())
    call("history", "add", "--reports-dir", tmp_path)

    for command in (("history", "list"), ("history", "changes")):
        assert is_harmless(call(*command, "--reports-dir", tmp_path))


def test_json_gives_no_orders_and_keeps_its_texts(tmp_path):
    """Written in another way, it reads as the same."""
    values = {"passes": 1, "fails": 1, "value": 0.1}
    name = "x ##[error]planted"
    (tmp_path / "k6.json").write_text(json.dumps({"metrics": {name: {"values": {"rate": 0.9, **values}}}}))

    told = call("audit", tmp_path / "k6.json", "--json")

    assert is_harmless(told)
    assert json.loads(told)["contradictions"][0]["part"] == name


@pytest.mark.parametrize("event", [Note, Step])
def test_what_goes_on_is_told_without_orders(capsys, event):
    """Steps and notes name what a run or a file says."""
    Terminal()(event(HOSTILE))

    assert is_harmless(capsys.readouterr().err)


@pytest.mark.parametrize("line", ["::error::planted", " \t::error::planted", "##[error]planted", "a ###[error]planted"])
def test_a_line_that_a_text_begins_gives_no_orders(capsys, line):
    """Blanks before it are trimmed before it is obeyed."""
    echo_line(line)

    assert is_harmless(capsys.readouterr().out)


def test_an_error_is_one_line(tmp_path, monkeypatch, capsys):
    """Whatever it names."""
    monkeypatch.setattr("sys.argv", ["jivsbench", "audit", str(tmp_path / HOSTILE.replace("/", ""))])

    with pytest.raises(SystemExit):
        main()

    assert is_harmless(capsys.readouterr().err)


_PLUGIN = """
from jivsbench.api import hookimpl

class Guard:
    name = {name!r}
    def review(self, request): pass

@hookimpl
def jivsbench_register_guards():
    return [Guard()]
"""


def test_what_a_plugin_offers_is_no_markup(tmp_path, monkeypatch):
    """A closing mark of no opened style broke the list; now it is shown, and so is everything else that it is called."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    (tmp_path / "named_plugin.py").write_text(_PLUGIN.format(name=f"acme [/x] {HOSTILE}"))
    (tmp_path / "jivsbench.toml").write_text('[plugins]\nmodules = ["named_plugin"]\n')
    monkeypatch.chdir(tmp_path)

    told = call("plugins")

    assert is_harmless(told)
    assert "acme [/x] x " in told


def test_names_of_columns_give_no_orders(tmp_path, monkeypatch):
    """A column is called as its source says, and named because a transform changed it."""
    column = "x\n::error::planted \x1b[31m\u202e"
    with contextlib.closing(sqlite3.connect(tmp_path / "rows.db")) as database:
        database.execute(f'CREATE TABLE "rows" (id integer primary key, "{column}" text)')
        database.execute("INSERT INTO rows VALUES (1, 'secret')")
        database.commit()
    text = f'[[transforms]]\nkind = "mask"\ncolumn = {json.dumps(column)}\nhow = "redact"\n'
    (tmp_path / "jivsbench.toml").write_text(text)
    monkeypatch.chdir(tmp_path)

    told = call("extract", f"sqlite:///{tmp_path / 'rows.db'}", "rows", "--to", tmp_path / "out")

    assert "changed by transforms" in told
    assert is_harmless(told)
