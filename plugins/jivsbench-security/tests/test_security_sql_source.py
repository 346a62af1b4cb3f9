"""SEC-033: what is pasted together is found, what is composed is not."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import jivsbench
from jivsbench.api import Installation
from jivsbench.testing.vulnerable.sql_source import COMPOSED, HOLES, plant_composed, plant_holes
from jivsbench_security.source_code.source_index import SourceIndex, build_index
from jivsbench_security.source_code.sql_source import SqlSourceCheck, find_sql_calls
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
        "NAMES = {1: 'a'}\ndef f(c, x):\n c.execute('SELECT ' + NAMES.get(x, x))",
        "def f(c, x):\n c.execute(dict(q=f'SELECT {x}')['q'])",
        "class A:\n def __init__(self):\n  self.q = ''\n def g(self, x):\n  self.q += x\n def f(self, c):\n  c.execute(self.q)",
        "class A:\n @staticmethod\n def run(c, q):\n  c.execute(q)\ndef f(c, x):\n A.run(c, f'SELECT {x}')",
        "from psycopg import sql\ndef g(c, q: str | sql.Composed):\n c.execute(q)\ndef f(c, x):\n g(c, f'SELECT {x}')",
        "def f(pool, c, x):\n pool.submit(c.execute, f'SELECT {x}')",
        "def f(c, x):\n c.execute(stmt=f'SELECT {x}')",
        "async def f(c, x):\n async for q in [f'SELECT {x}']:\n  c.execute(q)",
        "Q = 'SELECT 1'\ndef g(x):\n global Q\n Q = f'SELECT {x}'\ndef f(c):\n c.execute(Q)",
        "def f(c, x):\n q = ''\n def g():\n  nonlocal q\n  q = f'SELECT {x}'\n g()\n c.execute(q)",
        "class A:\n q = ''\n def run(self, c):\n  c.execute(self.q)\ndef f(c, x):\n a = A()\n a.q = f'SELECT {x}'\n a.run(c)",
        "class A:\n Q = ''\n def f(self, c):\n  c.execute(self.Q)\nclass B(A):\n def g(self, x):\n  self.Q = f'SELECT {x}'",
        "class Q:\n t: str\ndef f(c, x):\n g(c, replace(Q(''), t=f'SELECT {x}'))\ndef g(c, q: Q):\n c.execute(q.t)",
        "def hex(x):\n return x\ndef f(c, x):\n c.execute('SELECT ' + hex(x))",
        "class Q:\n def index(self, x):\n  return x\ndef f(c, x):\n c.execute('SELECT ' + Q().index(x))",
        "import sqlalchemy as sa\ndef f(c, x):\n c.execute(str(sa.select(1)) + x)",
        "from psycopg import sql\ndef f(c, x):\n c.execute(sql.SQL('SELECT ').as_string(c) + x)",
        "def f(c, x, run=lambda c, x: c.execute(f'SELECT {x}')):\n run(c, x)",
    ],
)
def test_pasting_is_found_however_it_gets_there(text: str) -> None:
    """Through other names, branches, lists, functions, fields and classes."""
    assert Kind.PASTED in judge(text)


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("a = b\nb = a\ndef f(c):\n c.execute(a.q)", {}),
        ("class A:\n def __init__(self):\n  self.x = self.y\n  self.y = self.x\n def f(self, c):\n  c.execute(self.x.q)", {}),
        ("class A:\n b = B().a\nclass B:\n a = A().b\ndef f(c):\n c.execute(A().b.q)", {}),
        ("class A(B):\n pass\nclass B(A):\n q = 'SELECT 1'\ndef f(c, a: A):\n c.execute(a.q)", {}),
        ("def g(n):\n return g(n - 1) + 'x'\ndef f(c, n):\n c.execute(g(n))", {}),
        ("from acme.a import q\ndef f(c):\n c.execute(q)", {"a": "from acme.b import q", "b": "from acme.a import q"}),
        ("from acme.a import q\ndef f(c):\n c.execute(q())", {"a": "from acme.b import q", "b": "from acme.a import q"}),
        ("from acme import a\ndef f(c):\n c.execute(a)", {"a": "x = 1"}),
        ("def f(c, x):\n v0 = x\n" + "".join(f" v{n} = v{n - 1}\n" for n in range(1, 900)) + " c.execute(v899)", {}),
        (
            "def f0(x):\n return x\n"
            + "".join(f"def f{n}(x):\n return f{n - 1}(x)\n" for n in range(1, 400))
            + "c.execute(f399(1))",
            {},
        ),
    ],
)
def test_what_goes_in_a_circle_or_on_and_on_comes_to_an_end(text: str, others: dict[str, str]) -> None:
    """Names, fields, classes, functions and modules that refer to each other: nothing is pasted, and nothing breaks."""
    assert judge(text, **others)[0] in {Kind.FIXED, Kind.OPEN}


def test_a_circle_does_not_hide_what_is_pasted_in_it() -> None:
    """An answer that rests on a guess is no answer: `b` is asked for while `a` is still being looked at."""
    text = "def f(c, x):\n a = b\n b = a\n a = f'SELECT {x}'\n c.execute(a)\n c.execute(b)"

    assert judge(text) == [Kind.PASTED, Kind.PASTED]


def test_what_another_package_pastes_is_followed() -> None:
    """A function that runs what it is given, and a plugin that gives it a text of its own making."""
    index = SourceIndex()
    index.add("acme", Path("acme/__init__.py"), "def run(c, q):\n c.execute(q)\ndef own(c):\n run(c, 'SELECT 1')")
    index.add("plugin", Path("plugin/__init__.py"), "from acme import run\ndef f(c, x):\n run(c, f'SELECT {x}')")

    assert [call.kind for call in find_sql_calls(index)] == [Kind.PASTED]


def test_fields_of_a_sister_class_are_none_of_ours() -> None:
    """Two classes from one: what the one pastes does not reach the statement of the other."""
    text = (
        "class A:\n pass\nclass B(A):\n q = 'SELECT 1'\n def f(self, c):\n  c.execute(self.q)\n"
        "class C(A):\n def __init__(self, x):\n  self.q = f'SELECT {x}'"
    )

    assert judge(text) == [Kind.FIXED]


def inspect(folder: Path, **files: str):
    """What the check says of a package of these files."""
    package = folder / "acme"
    package.mkdir()
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    return SqlSourceCheck()._inspect(SimpleNamespace(installation=Installation(sources=(package,))))


def test_a_plugin_of_one_module_is_scanned_alone(tmp_path: Path) -> None:
    """Not the folder that it lies in, where all other packages are."""
    (tmp_path / "acme.py").write_text("def f(c, x):\n c.execute(f'SELECT {x}')")
    (tmp_path / "other.py").write_text("def f(c, x):\n c.execute(f'SELECT {x}')")
    seen = SqlSourceCheck()._inspect(SimpleNamespace(installation=Installation(sources=(tmp_path / "acme.py",))))

    assert [finding.reproducer for finding in seen.findings] == ["acme.py:2"]


def test_a_file_that_cannot_be_parsed_hides_no_hole(tmp_path: Path) -> None:
    """It forbids a PASS, and what was found elsewhere stays a finding."""
    seen = inspect(tmp_path, a="def f(c, x):\n c.execute(f'SELECT {x}')", broken="execute(")

    assert seen.untested == "1 files of the source cannot be parsed: broken.py"
    assert [finding.reproducer for finding in seen.findings] == ["acme/a.py:2"]


def test_what_was_not_followed_is_named(tmp_path: Path) -> None:
    """Why fewer calls were reached than there are, and where they stand."""
    seen = inspect(tmp_path, a="def f(c, q):\n c.execute(q)\n c.execute('SELECT 1')")

    assert (seen.attempted, seen.reached) == (2, 1)
    assert "not reached: acme/a.py:2" in seen.reason


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
