"""Where a text comes from, followed through names, parameters, results and fields: out of the source itself, or from outside.

Conservative in one direction only: what cannot be followed is OPEN, not a hole. A hole is a text that the program itself pastes
together from a literal and something OPEN.
"""

import ast
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from jivsbench_security.source_code.known_words import (
    KEEPING,
    NUMBERS,
    NUMERIC_ATTRIBUTES,
    NUMERIC_FORMATS,
    PASSING,
    REVIEWED,
    SAFE_CALLS,
    SAFE_METHODS,
    TEXTS,
)
from jivsbench_security.source_code.name_resolution import NameResolution, expand_name, is_enum, list_names
from jivsbench_security.source_code.recollection import Recollection
from jivsbench_security.source_code.scopes import CallSite, Function, Scope, find_last_name
from jivsbench_security.source_code.source_index import SourceIndex


class Kind(IntEnum):
    """What is known of a value; the worse, the higher."""

    FIXED = 0
    """Written in the source, a number, or quoted."""
    COMPOSED = 1
    """Built by a library that keeps names and values apart from text."""
    OPEN = 2
    """From elsewhere, as it came."""
    PASTED = 3
    """Pasted together by this program, with something OPEN in it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A kind, and for PASTED the place where that happens."""

    kind: Kind
    place: str = ""


FIXED: Final = Origin(Kind.FIXED)
COMPOSED: Final = Origin(Kind.COMPOSED)
OPEN: Final = Origin(Kind.OPEN)
_COMPOSERS: Final = ("psycopg.sql.", "psycopg2.sql.", "sqlalchemy.")
"""Their objects bind or quote what they are given; what takes plain text of them is a sink (`sql_source`)."""


def join(origins: Iterable[Origin]) -> Origin:
    """The worst of some origins; FIXED for none."""
    return max(origins, key=lambda one: one.kind, default=FIXED)


class TextFlow:
    """Follows texts through one index."""

    def __init__(self, index: SourceIndex) -> None:
        self._index = index
        self._names = NameResolution(index)
        self._known: Recollection[Origin] = Recollection(lambda left, right: join((left, right)))

    def follow(self, node: ast.expr, scope: Scope) -> Origin:
        """The origin of a statement's text. What leads further than Python's own stack is OPEN, as what cannot be followed."""
        try:
            return self.trace(node, scope)
        except RecursionError:
            self._known.forget_open()
            return OPEN

    def trace(self, node: ast.expr | None, scope: Scope) -> Origin:
        """The origin of an expression's value. Iterables have that of their elements."""
        if node is None:
            return OPEN
        return self._remember((node, scope), lambda: self._trace(node, scope))

    def _remember(self, key: Hashable, find: Callable[[], Origin]) -> Origin:
        # What leads back to itself adds nothing.
        return self._known.find(key, find, FIXED)

    def _trace(self, node: ast.expr, scope: Scope) -> Origin:  # noqa: C901, PLR0912 - one case a kind of expression
        def of(*nodes: ast.expr | None) -> Origin:
            return join(self.trace(one, scope) for one in nodes if one is not None)

        match node:
            case ast.Constant() | ast.Compare() | ast.UnaryOp():
                return FIXED
            case ast.JoinedStr():
                return self._trace_f_string(node, scope)
            case ast.FormattedValue(value=inner, format_spec=spec):
                return FIXED if _is_numeric(spec) else of(inner)
            case ast.BinOp():
                return self._trace_operation(node.left, node.right, node, scope)
            case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                return of(*parts)
            case ast.Dict(values=parts):
                return of(*parts)
            case ast.IfExp(body=yes, orelse=no):
                return of(yes, no)
            case ast.NamedExpr(value=inner) | ast.Starred(value=inner) | ast.Await(value=inner) | ast.Subscript(value=inner):
                return of(inner)
            case ast.ListComp(elt=inner) | ast.SetComp(elt=inner) | ast.GeneratorExp(elt=inner) | ast.DictComp(value=inner):
                return self.trace(inner, scope.module.comprehensions[node])
            case ast.Name(id=name):
                return self._trace_name(name, scope)
            case ast.Attribute():
                return self._trace_attribute(node, scope)
            case ast.Call():
                return self._trace_call(node, scope)
            case _:
                return OPEN

    def _trace_f_string(self, node: ast.JoinedStr, scope: Scope) -> Origin:
        whole = join(self.trace(part, scope) for part in node.values)
        return self._paste(whole, node, scope) if len(node.values) > 1 else whole

    def _trace_operation(self, left: ast.expr, right: ast.expr, node: ast.AST, scope: Scope) -> Origin:
        parts = self.trace(left, scope), self.trace(right, scope)
        if any(part.kind is Kind.COMPOSED for part in parts):
            return COMPOSED
        return self._paste(join(parts), node, scope)

    def _paste(self, whole: Origin, node: ast.AST, scope: Scope) -> Origin:
        if whole.kind is not Kind.OPEN:
            return FIXED if whole.kind is Kind.COMPOSED else whole
        return Origin(Kind.PASTED, f"{scope.module.path}:{getattr(node, 'lineno', 0)}")

    def _trace_name(self, name: str, scope: Scope) -> Origin:
        # Modules may hand a name to each other in a circle: then nobody binds it.
        asked: set[tuple[Scope, str]] = set()
        while (scope, name) not in asked:
            asked.add((scope, name))
            found = self._trace_bound_name(name, scope)
            if found is not None:
                return found
            dotted = scope.module.imports.get(name)
            if dotted is None:
                return OPEN
            module, _, name = dotted.rpartition(".")
            imported = self._index.find_module(module)
            if imported is None:
                return COMPOSED if f"{dotted}.".startswith(_COMPOSERS) else OPEN
            scope = imported.scope
        return OPEN

    def _trace_bound_name(self, name: str, scope: Scope) -> Origin | None:
        """None for a name that neither this scope nor one around it binds."""
        at: Scope | None = scope
        while at is not None:
            is_seen = at is scope or not isinstance(at.node, ast.ClassDef)
            if is_seen and (name in at.bindings or name in at.pasted):
                return self._remember((name, at), lambda found=at: self._trace_binding(name, found))  # type: ignore[misc]
            at = at.parent
        return None

    def _trace_binding(self, name: str, scope: Scope) -> Origin:
        typed = self._judge_type(scope.annotations.get(name), scope)
        if typed is not None:
            return typed
        found = [self.trace(value, scope) for value in scope.bindings.get(name, ())]
        if _is_parameter(name, scope):
            found.append(self._trace_parameter(name, scope))
        elif not found:
            found.append(OPEN)
        before = join(found)
        for more in scope.pasted.get(name, ()):
            before = join([before, self._trace_growth(before, more, scope)])
        return before

    def _trace_growth(self, before: Origin, more: ast.AugAssign, scope: Scope) -> Origin:
        added = self.trace(more.value, scope)
        if before.kind is Kind.COMPOSED or added.kind is Kind.COMPOSED:
            return COMPOSED
        is_text = isinstance(more.value, ast.JoinedStr | ast.Constant | ast.BinOp)
        return self._paste(added, more, scope) if before.kind is Kind.FIXED or is_text else added

    def _trace_parameter(self, name: str, scope: Scope) -> Origin:
        sites = self._names.find_callers(scope)
        if isinstance(scope.node, ast.Lambda) or name in {"self", "cls"} or not sites:
            return OPEN
        position = scope.parameters.index(name) if name in scope.parameters else -1
        given = [self._trace_argument(site, name, position - scope.is_bound, scope) for site in sites]
        return join(given)

    def _trace_argument(self, site: CallSite, name: str, position: int, scope: Scope) -> Origin:
        for keyword in site.call.keywords:
            if keyword.arg == name:
                return self.trace(keyword.value, site.scope)
        if any(isinstance(one, ast.Starred) for one in site.call.args) or any(one.arg is None for one in site.call.keywords):
            return OPEN
        if 0 <= position < len(site.call.args):
            return self.trace(site.call.args[position], site.scope)
        return self.trace(scope.defaults[name], scope) if name in scope.defaults else OPEN

    def _trace_attribute(self, node: ast.Attribute, scope: Scope) -> Origin:
        kind = self._names.find_class(node.value, scope)
        if node.attr in NUMERIC_ATTRIBUTES or (kind is not None and is_enum(kind)):
            return FIXED
        if kind is not None:
            package = scope.module.name.partition(".")[0]
            return self._remember((kind, node.attr, package), lambda: self._trace_field(kind, node.attr, package))
        match node.value:
            case ast.Name(id=name) if name in scope.module.imports:
                dotted = scope.module.imports[name]
                found = self._index.find_module(dotted)
                if found is not None:
                    return self._trace_name(node.attr, found.scope)
                return COMPOSED if f"{dotted}.".startswith(_COMPOSERS) else OPEN
            case inner:
                held = self.trace(inner, scope)
                return OPEN if held.kind is Kind.PASTED else held

    def _trace_field(self, kind: Scope, name: str, package: str) -> Origin:
        """What the objects hold that this package makes itself."""
        typed = self._judge_type(kind.annotations.get(name), kind)
        if typed is not None:
            return typed
        if name in kind.functions:
            return self._trace_result(kind.functions[name])
        found = [self.trace(value, scope) for value, scope in self._names.list_field_values(kind, name)]
        if name in kind.annotations:
            found += self._trace_given(kind, name, package) or [OPEN]
        if found:
            found += [self.trace(value, scope) for value, scope in self._names.list_foreign_values(kind, name, package)]
        return join(found) if found else OPEN

    def _trace_given(self, kind: Scope, name: str, package: str) -> list[Origin]:
        """What this package gives a field of a dataclass when it makes objects, or copies with other values."""
        position, fields = list(kind.annotations).index(name), set(kind.annotations)
        made = [
            self._trace_argument(site, name, position, kind)
            for site in self._index.find_calls(package, kind.name)
            if len(site.call.args) > position or site.call.keywords
        ]
        copied = [
            self.trace(keyword.value, site.scope)
            for function in ("replace", "evolve", "_replace")
            for site in self._index.find_calls(package, function)
            for keyword in site.call.keywords
            if keyword.arg == name and {one.arg for one in site.call.keywords} <= fields
        ]
        return made + copied if made else []

    def _trace_call(self, node: ast.Call, scope: Scope) -> Origin:
        name = find_last_name(node.func)
        own = self._names.find_function(node.func, scope)
        if self._is_safe(node.func, name, scope, own):
            return FIXED
        if own is not None and f"{own.module.name}.{name}" in REVIEWED:
            return FIXED
        if own is not None and not isinstance(own.node, ast.ClassDef):
            return self._trace_result(own)
        if isinstance(node.func, ast.Attribute):
            is_arithmetic = isinstance(node.func.value, ast.Name) and scope.module.imports.get(node.func.value.id) == "math"
            return FIXED if is_arithmetic else self._trace_method(node, node.func, scope)
        if name == "map" and node.args and (mapped := self._names.find_function(node.args[0], scope)) is not None:
            return self._trace_result(mapped)
        if name in PASSING:
            given = join(self.trace(one, scope) for one in (*node.args, *(keyword.value for keyword in node.keywords)))
            # The text of a composed statement is a text, to which another can be pasted.
            return FIXED if given == COMPOSED and name in {"str", "repr", "bytes"} else given
        return COMPOSED if isinstance(node.func, ast.Name) and self._trace_name(name, scope) == COMPOSED else OPEN

    def _is_safe(self, function: ast.expr, name: str, scope: Scope, own: Scope | None) -> bool:
        """True for what gives a number whatever it is given, unless the source has something else by that name."""
        if isinstance(function, ast.Attribute):
            kind = self._names.find_class(function.value, scope) if name in SAFE_METHODS else None
            return name in SAFE_METHODS and (kind is None or name not in kind.functions)
        return name in SAFE_CALLS and own is None

    def _trace_method(self, node: ast.Call, function: ast.Attribute, scope: Scope) -> Origin:
        on, name = self.trace(function.value, scope), function.attr
        if on.kind is Kind.COMPOSED:
            return FIXED if name in {"as_string", "as_bytes"} else COMPOSED
        given = join(self.trace(one, scope) for one in (*node.args, *(keyword.value for keyword in node.keywords)))
        if name == "replace" and _doubles(node):
            return FIXED
        if name in {"format", "join", "format_map", "substitute", "safe_substitute"}:
            return self._paste(join([on, given]), node, scope) if on.kind is not Kind.OPEN else OPEN
        if name == "replace":
            return self._paste(given, node, scope) if on.kind is Kind.FIXED else on
        if name in {*KEEPING, *PASSING}:
            default = join(self.trace(one, scope) for one in node.args[1:]) if name in {"get", "pop"} else FIXED
            return join([on, given]) if name in PASSING else join([on, default])
        return join([on, given]) if on.kind is Kind.FIXED and given.kind is not Kind.PASTED else OPEN

    def _trace_result(self, function: Scope) -> Origin:
        node = function.node
        returns = node.returns if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
        typed = self._judge_type(returns, function)
        if typed is not None:
            return typed
        return self._remember(
            (function, "returns"),
            lambda: join(self.trace(one, function) for one in function.returned) if function.returned else OPEN,
        )

    def _judge_type(self, annotation: ast.expr | None, scope: Scope) -> Origin | None:
        """What the type alone says: numbers and members of an enumeration hold no text; None when it says nothing."""
        names = [one for one in list_names(annotation) if one != "None"]
        if names and all(one in NUMBERS or self._names.is_enum_name(one, scope) for one in names):
            return FIXED
        if TEXTS & set(names):
            return None
        return COMPOSED if any(expand_name(one, scope.module).startswith(_COMPOSERS) for one in names) else None


def _is_parameter(name: str, scope: Scope) -> bool:
    if not isinstance(scope.node, Function):
        return False
    asked = scope.node.args
    return any(
        one is not None and one.arg == name
        for one in (*asked.posonlyargs, *asked.args, *asked.kwonlyargs, asked.vararg, asked.kwarg)
    )


def _is_numeric(spec: ast.expr | None) -> bool:
    match spec:
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(text))]):
            return bool(text) and text[-1] in NUMERIC_FORMATS
        case _:
            return False


def _doubles(node: ast.Call) -> bool:
    """`text.replace(q, q + q)`: the quoting of names and texts in SQL."""
    match node.args:
        case [ast.Constant(value=str(one)), ast.Constant(value=str(two))]:
            return len(one) == 1 and one in "\"'`]" and two == one * 2
        case _:
            return False
