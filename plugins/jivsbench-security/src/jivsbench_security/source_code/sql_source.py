"""SEC-033: the source itself. SQL text comes from literals and composing libraries, and is not pasted together with values."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jivsbench.api import CheckContext, TargetVariant
from jivsbench.model.finding import Finding, Severity
from jivsbench_security.inspection import InspectingCheck, Inspection
from jivsbench_security.source_code.scopes import CallSite, Module, Scope
from jivsbench_security.source_code.source_index import SourceIndex, build_index
from jivsbench_security.source_code.text_flow import Kind, TextFlow

METHODS: Final = frozenset(
    [
        "execute",
        "executemany",
        "executescript",
        "exec_driver_sql",
        "execute_async",
        "copy",
        "copy_expert",
        "mogrify",
        "query",
        "stream",
        "stream_scalars",
        "send_query",
        "send_query_params",
        "send_prepare",
        "exec_",
        "exec_params",
        "read_sql",
        "read_sql_query",
        "fetchrow",
        "fetchval",
    ]
)
"""Methods of drivers and of SQLAlchemy whose first argument is SQL."""
_FUNCTIONS: Final = frozenset(
    {
        "psycopg.sql.SQL",
        "psycopg2.sql.SQL",
        *(f"sqlalchemy.{name}" for name in ("text", "literal_column", "DDL", "sql.text", "sql.expression.text")),
    }
)
"""What takes text as it is into a composed statement."""
_KEYWORDS: Final = frozenset({"query", "statement", "sql", "operation", "text", "command"})
_COMMON: Final = frozenset({"copy", "query", "stream"})
"""Also what other things have: taken for what a driver has when they are called with an argument, and not under another name."""
_MAY_CALL: Final = re.compile(
    rf"\.(?:{'|'.join(sorted(_COMMON))})\s*\(|\b(?:{'|'.join(sorted(METHODS - _COMMON))})\b|\b(?:psycopg|psycopg2|sqlalchemy)\b"
)
_MOST_PLACES: Final = 6
_WRONG_ON_PURPOSE: Final = ("/jivsbench/testing/vulnerable",)


@dataclass(frozen=True, slots=True)
class SqlCall:
    """A call that takes SQL text, and where that text comes from."""

    place: str
    function: str
    kind: Kind
    pasted_at: str


class SqlSourceCheck(InspectingCheck):
    """Follows the text of every statement in the source of the host and of each loaded plugin back to where it was written."""

    id = "SEC-033"
    title = "SQL text reaches the driver from literals and composed statements only"
    severity = Severity.MEDIUM
    cwe = ("CWE-89",)
    # A plugin with six ways to paste a value into a statement.
    vulnerable = TargetVariant("vulnerable-source", installations=("jivsbench.testing.vulnerable.sql_source:plant_holes",))
    sound_installations = ("jivsbench.testing.vulnerable.sql_source:plant_composed",)

    def _inspect(self, context: CheckContext) -> Inspection:
        folders = context.installation.sources
        if not folders:
            return Inspection(0, 0, "", untested="the source of the target was not found: it is not installed as files")
        index = build_index(folders, _WRONG_ON_PURPOSE)
        calls = find_sql_calls(index)
        counted = Counter(call.kind for call in calls)
        open_at = [_shorten(call.place, folders) for call in calls if call.kind is Kind.OPEN]
        unreadable = ", ".join(path.name for path in index.unreadable[:3])
        return Inspection(
            attempted=len(calls),
            reached=len(calls) - len(open_at),
            reason=f"{len(calls)} calls that take SQL text in {len(index)} files: {counted[Kind.FIXED]} literal or quoted, "
            f"{counted[Kind.COMPOSED]} composed, {counted[Kind.PASTED]} pasted{_describe_open(open_at)}",
            findings=tuple(self._build_finding(call, folders) for call in calls if call.kind is Kind.PASTED),
            untested=f"{len(index.unreadable)} files of the source cannot be parsed: {unreadable}" if unreadable else None,
        )

    def _build_finding(self, call: SqlCall, folders: Sequence[Path]) -> Finding:
        pasted, sent = (_shorten(place, folders) for place in (call.pasted_at, call.place))
        return Finding(
            check_id=self.id,
            severity=self.severity,
            title="SQL text is pasted together with a value",
            evidence=f"the text pasted together at {pasted} reaches {call.function}() at {sent}",
            reproducer=pasted,
        )


def _describe_open(places: Sequence[str]) -> str:
    if not places:
        return ""
    shown = ", ".join(places[:_MOST_PLACES]) + (", ..." if len(places) > _MOST_PLACES else "")
    return f"; {len(places)} whose text comes from where it cannot be followed, neither hole nor proof and not reached: {shown}"


def find_sql_calls(index: SourceIndex) -> tuple[SqlCall, ...]:
    """Every call that takes SQL text, in the order of the source."""
    flow = TextFlow(index)
    return tuple(
        call
        for module in index.find_modules(_MAY_CALL)
        for sites in module.calls.values()
        for site in sites
        for call in _judge(flow, site, module)
    )


def _judge(flow: TextFlow, site: CallSite, module: Module) -> Iterator[SqlCall]:
    function = _name_sink(site.call.func, site.scope, module)
    text = _find_text(site.call, function) if function else None
    for name, sent in ([(function, text)] if text is not None else []) + _list_handed_on(site.call):
        origin = flow.follow(sent, site.scope)
        yield SqlCall(f"{module.path}:{site.call.lineno}", name, origin.kind, origin.place)


def _find_text(call: ast.Call, function: str) -> ast.expr | None:
    if call.args:
        return call.args[0]
    known = [keyword.value for keyword in call.keywords if keyword.arg in _KEYWORDS]
    # Whatever a driver calls it: what only drivers have takes its text first.
    others = [keyword.value for keyword in call.keywords] if function not in _COMMON else []
    return next(iter((*known, *others)), None)


def _list_handed_on(call: ast.Call) -> list[tuple[str, ast.expr]]:
    """`submit(cursor.execute, text)`: methods that take SQL, and the text that another function is to call them with."""
    pairs = zip(call.args, call.args[1:], strict=False)
    return [(one.attr, text) for one, text in pairs if isinstance(one, ast.Attribute) and one.attr in METHODS - _COMMON]


def _name_sink(function: ast.expr, scope: Scope, module: Module) -> str:
    """The name of what takes SQL text, also under another name; empty for anything else."""
    match function:
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in module.imports:
            dotted = f"{module.imports[owner]}.{name}"
            return name if dotted in _FUNCTIONS or (name in METHODS and name not in _COMMON) else ""
        case ast.Attribute(attr=name):
            return name if name in METHODS else ""
        case ast.Name(id=name):
            if module.imports.get(name) in _FUNCTIONS:
                return name
            return next((found for found in _list_aliases(name, scope)), "")
        case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
            return name if name in METHODS else ""
        case _:
            return ""


def _list_aliases(name: str, scope: Scope) -> Iterator[str]:
    at: Scope | None = scope
    while at is not None:
        for value in at.bindings.get(name, ()):
            if isinstance(value, ast.Attribute) and value.attr in METHODS - _COMMON:
                yield value.attr
        at = at.parent


def _shorten(place: str, folders: Sequence[Path]) -> str:
    path, _, line = place.rpartition(":")
    for folder in folders:
        if Path(path).is_relative_to(folder):
            return f"{Path(path).relative_to(folder.parent)}:{line}"
    return place
