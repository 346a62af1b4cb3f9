"""docs/hooks.md is checked against the live manager: each hook, its signature, its example and its test."""

import ast
import inspect
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from jivsbench.api import HookSpecs, Response
from jivsbench.checks.runner import find_shortfall
from jivsbench.plugins import build_plugin_manager, load_registry
from jivsbench.plugins.offers import Seam

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "hooks.md").read_text()
HOOKS = sorted(name for name, caller in vars(build_plugin_manager(entry_points=False).hook).items() if caller.has_spec())
EXAMPLES = re.findall(r"<!-- example: ([\w ]+) -->\n```python\n(.*?)```", DOCS, re.DOTALL)


def read_signature(hook: str) -> str:
    """The specification's own line, as a plugin's function has it: without `self`."""
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(getattr(HookSpecs, hook)))).body
    assert isinstance(function, ast.FunctionDef)
    assert function.returns is not None
    function.args.args = function.args.args[1:]
    return f"def {hook}({ast.unparse(function.args)}) -> {ast.unparse(function.returns)}: ..."


def test_there_are_seven_hooks() -> None:
    """A hook that is added must be added here, with its documentation and its test."""
    assert len(HOOKS) == 7
    assert {seam.hook for seam in Seam} | {"jivsbench_run_finished"} == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_is_documented_with_todays_signature(hook: str) -> None:
    """Its heading, then a block of code with exactly its signature, then a paragraph and an example that uses it."""
    section = re.search(rf"^## {hook}\n\n```python\n(.*?)\n```\n\n(.*?)(?=^## |\Z)", DOCS, re.DOTALL | re.MULTILINE)

    assert section is not None, f"docs/hooks.md has no heading and signature for {hook}"
    assert section[1] == read_signature(hook)
    assert "<!-- example: " in section[2]
    assert f"\ndef {hook}(" in section[2]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_test_of_its_name(hook: str) -> None:
    """Somewhere under tests/ a test says what the hook does."""
    sources = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))

    assert any(re.search(rf"def test_\w*{hook}\w*\(", source) for source in sources)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_has_a_docstring_of_one_line(hook: str) -> None:
    """What an editor shows to a plugin author."""
    assert getattr(HookSpecs, hook).__doc__.strip().count("\n") == 0


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_an_example_is_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """Every example loads as it stands and offers what its section promises."""
    module = f"documented_{name.replace(' ', '_')}"
    (tmp_path / f"{module}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    (facts,) = load_registry(extra_modules=[module], entry_points=False).plugins

    assert facts.hooks
    assert facts.offers or facts.hooks == ("jivsbench_run_finished",)


def test_the_whole_plugin_is_short_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first example is at most twenty lines of code, and its guard refuses what it says it refuses."""
    from jivsbench.api import GuardRequest
    from jivsbench.errors import GuardRefusedError
    from jivsbench.model.table import ExtractionRequest, TableName

    name, text = EXAMPLES[0]
    (tmp_path / "documented_whole.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    (guard,) = load_registry(extra_modules=["documented_whole"], entry_points=False).guards
    table = TableName("t")

    assert (name, guard.name) == ("guard", "row-limit")
    assert len([line for line in text.splitlines() if line.strip()]) <= 20
    assert guard.review(GuardRequest(ExtractionRequest("s", table, row_limit=1), "", None)) is None
    with pytest.raises(GuardRefusedError, match="needs a row limit"):
        guard.review(GuardRequest(ExtractionRequest("s", table), "", None))


@pytest.mark.parametrize(("status", "outcome"), [(404, "PASS"), (200, "FAIL")])
def test_the_documented_check_can_be_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, outcome: str) -> None:
    """Whoever copies it gets a check whose PASS and FAIL count: harmless requests around an attack, and a finding."""
    (tmp_path / "documented_check.py").write_text(dict(EXAMPLES)["check"])
    monkeypatch.syspath_prepend(tmp_path)
    (check,) = load_registry(extra_modules=["documented_check"], entry_points=False).checks
    answers = {"/profile": Response(200, {}), "/no-such-path": Response(status, None)}
    context = SimpleNamespace(target=SimpleNamespace(call=lambda _method, path: answers[path]))
    result = check.run(context)

    assert result.outcome == outcome
    assert find_shortfall(result) is None
