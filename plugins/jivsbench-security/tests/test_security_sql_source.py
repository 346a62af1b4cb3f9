"""SEC-033: what is pasted together is found, what is composed is not."""

from pathlib import Path

import pytest

import jivsbench
from jivsbench.testing.vulnerable.sql_source import COMPOSED, HOLES, plant_composed, plant_holes
from jivsbench_security.source_code.source_index import SourceIndex, build_index
from jivsbench_security.source_code.sql_source import find_sql_calls
from jivsbench_security.source_code.text_flow import Kind


def judge(text: str, **others: str) -> list[Kind]:
    """The kinds of all calls that take SQL, in a package of one module or more."""
    index = SourceIndex()
    for name, content in {"acme": text, **{f"acme.{name}": content for name, content in others.items()}}.items():
        path = Path("acme/__init__.py" if name == "acme" else f"{name.replace('.', '/')}.py")
        index.add(name, path, content)
    return [call.kind for call in find_sql_calls(index)]


def test_six_of_six_holes_are_found_and_no_sample_that_composes(tmp_path: Path) -> None:
    """The pass figure: each hole once, no false alarm."""
    holes = find_sql_calls(build_index(plant_holes(tmp_path).sources))
    composed = find_sql_calls(build_index(plant_composed(tmp_path).sources))

    assert sum(call.kind is Kind.PASTED for call in holes) == HOLES.count("def by_") == 6
    assert [call for call in composed if call.kind is Kind.PASTED] == []
    assert len(composed) >= COMPOSED.count("execute(")


@pytest.mark.parametrize(
    "text",
    [
        "def f(c, x):\n run = c.execute\n run(f'SELECT {x}')",
        "def f(c, x):\n getattr(c, 'execute')('SELECT ' + x)",
        "def f(c, x):\n c.executemany(f'INSERT INTO {x} VALUES (?)', [])",
        "def f(c, x):\n c.execute(query=f'SELECT {x}')",
        "def f(c, x):\n c.execute(q if x else f'SELECT {x}')",
        "def f(c, x):\n c.execute('SELECT NAME'.replace('NAME', x))",
        "def f(c, xs):\n c.execute('SELECT ' + ', '.join(xs))",
        "def f(c, x):\n parts = ['SELECT 1']\n parts.append(f'WHERE a = {x}')\n c.execute(' '.join(parts))",
        "import sqlalchemy as sa\ndef f(c, x):\n c.execute(sa.text(f'SELECT {x}'))",
        "from sqlalchemy import text as t\ndef f(c, x):\n c.execute(t('SELECT ' + x))",
        "def f(c, x):\n if (q := f'SELECT {x}'):\n  c.execute(q)",
        "def quote(x):\n return f'\"{x}\"'\ndef f(c, x):\n c.execute(f'DROP TABLE {quote(x)}')",
        "def run(c, sql):\n c.execute(sql)\ndef f(c, x):\n run(c, f'SELECT {x}')",
        "class A:\n def __init__(self, x):\n  self._q = f'SELECT {x}'\n def f(self, c):\n  c.execute(self._q)",
        "class Q:\n text: str\ndef f(c, x):\n g(c, Q(f'SELECT {x}'))\ndef g(c, q: Q):\n c.execute(q.text)",
        "async def f(c, x):\n await c.execute(f'SELECT {x}')",
        "def f(c, x):\n c.execute(f'SELECT {x!r}')",
        "TEMPLATE = 'SELECT {}'\ndef f(c, x):\n c.execute(TEMPLATE.format(x))",
        "def f(c, x):\n for q in [f'DELETE FROM {x}', 'SELECT 1']:\n  c.execute(q)",
        "f = lambda c, x: c.execute(f'SELECT {x}')",
    ],
)
def test_pasting_is_found_however_it_gets_there(text: str) -> None:
    """Through other names, branches, lists, functions, fields and classes."""
    assert Kind.PASTED in judge(text)


def test_pasting_is_followed_through_another_module() -> None:
    """The text is built in one file and sent in another."""
    text = "from acme.building import build\ndef f(c, x):\n c.execute(build(x))"

    assert judge(text, building="def build(x):\n return f'SELECT {x}'") == [Kind.PASTED]
    assert judge(text, building="def build(x):\n return 'SELECT 1'") == [Kind.FIXED]


@pytest.mark.parametrize(
    "text",
    [
        "def f(c, x: int):\n c.execute(f'SELECT {x}')",
        "def f(c, x):\n c.execute(f'SELECT {x:d}')",
        "from enum import Enum\nclass Kind(Enum):\n A = 'a'\ndef f(c, kind: Kind):\n c.execute(f'SELECT {kind.value}')",
        "NAMES = {1: 'a'}\ndef f(c, x):\n c.execute('SELECT ' + NAMES[x])",
        "import copy\ndef f(x):\n return copy.copy(f'{x} a')",
        "def g(c, n):\n c.execute('SELECT ' + n)\ndef f(c):\n for n in ('a', 'b'):\n  g(c, n)",
        "def f(c, name):\n for name in ('a', 'b'):\n  pass\n return [c.execute(f'SELECT {n}') for n in ('a', 'b')]",
    ],
)
def test_numbers_members_and_constants_are_no_holes(text: str) -> None:
    """What cannot hold a text from outside."""
    assert Kind.PASTED not in judge(text)


def test_what_cannot_be_followed_is_said() -> None:
    """A statement handed on as it came is neither a hole nor a literal."""
    assert judge("def f(c, sql):\n c.execute(sql)") == [Kind.OPEN]


def test_the_host_is_scanned_whole() -> None:
    """No file but those wrong on purpose is left out."""
    folder = Path(jivsbench.__file__).parent
    index = build_index([folder], ["/jivsbench/testing/vulnerable"])

    left_out = set(folder.rglob("*.py")) - set(index.paths)
    assert {path.parent.name for path in left_out} == {"vulnerable"}
    assert len(index) > 300
