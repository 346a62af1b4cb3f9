"""What a name in Python source stands for: the function, class or module, as far as that can be told without running it."""

import ast
from collections.abc import Callable

from jivsbench_security.source_code.scopes import CallSite, Module, Scope, list_bases
from jivsbench_security.source_code.source_index import SourceIndex


class NameResolution:
    """Looks names up in one index."""

    def __init__(self, index: SourceIndex) -> None:
        self._index = index
        self._open: set[tuple[object, Scope]] = set()
        """Expressions whose class is being looked for: what leads back to itself has none."""

    def find_callers(self, scope: Scope) -> list[CallSite]:
        """The calls in the same package that may mean this function, and those in others that do; for `__init__` its class's."""
        if not isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return []
        name = scope.node.name
        if name == "__init__" and scope.parent is not None and isinstance(scope.parent.node, ast.ClassDef):
            name = scope.parent.node.name
        package = scope.module.name.partition(".")[0]
        own = [site for site in self._index.find_calls(package, name) if self._may_mean(site, scope)]
        beside = scope.owner.name if scope.owner is not None else scope.module.name.rpartition(".")[2]
        return own + [site for site in self._index.find_calls_elsewhere(package, name, beside) if self._means(site, scope)]

    def _means(self, site: CallSite, scope: Scope) -> bool:
        """True when it is plain that a call means this function: elsewhere many things have its name."""
        function = site.call.func
        if scope.is_method and isinstance(function, ast.Attribute):
            return self.find_class(function.value, site.scope) is scope.owner
        found = self.find_function(function, site.scope)
        return found is not None and (found is scope or found is scope.parent)

    def _may_mean(self, site: CallSite, scope: Scope) -> bool:
        """True unless it is plain that a call by the same name means something else."""
        function = site.call.func
        if isinstance(function, ast.Name):
            found = self.find_function(function, site.scope)
            return found is scope or found is scope.parent
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            dotted = site.scope.module.imports.get(function.value.id)
            if dotted is not None:
                return scope.module.name == dotted and not scope.is_method
            kind = self.find_class(function.value, site.scope)
            return kind is None or scope.owner is None or kind is scope.owner or isinstance(kind.node, ast.Module)
        return scope.is_method

    def find_function(self, node: ast.expr, scope: Scope) -> Scope | None:
        """The function or class that a name, or a name of a module, means."""
        match node:
            case ast.Name(id=name):
                at: Scope | None = scope
                while at is not None:
                    found = at.functions.get(name) or at.classes.get(name)
                    if found is not None and (at is scope or not isinstance(at.node, ast.ClassDef)):
                        return found
                    at = at.parent
                return self.find_dotted(scope.module.imports.get(name, ""))
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in scope.module.imports:
                return self.find_dotted(f"{scope.module.imports[module]}.{name}")
            case ast.Attribute(value=owner, attr=name):
                kind = self.find_class(owner, scope)
                return kind.functions.get(name) if kind is not None else self._find_only_method(name, scope)
            case _:
                return None

    def _find_only_method(self, name: str, scope: Scope) -> Scope | None:
        if hasattr(str, name) or hasattr(bytes, name):
            return None
        found = self._index.find_methods(scope.module.name.partition(".")[0], name)
        return found[0] if len(found) == 1 else None

    def find_dotted(self, dotted: str) -> Scope | None:
        """The function or class of that full name, also where a package only hands it on; None for what goes in a circle."""
        asked: set[str] = set()
        while dotted not in asked:
            asked.add(dotted)
            module, _, name = dotted.rpartition(".")
            found = self._index.find_module(module)
            if found is None:
                return None
            own = found.scope.functions.get(name) or found.scope.classes.get(name)
            if own is not None:
                return own
            dotted = found.imports.get(name, dotted)
        return None

    def is_enum_name(self, name: str, scope: Scope) -> bool:
        """True when the name is that of an enumeration."""
        kind = self._find_named_class(name, scope)
        return kind is not None and is_enum(kind)

    def _find_named_class(self, name: str, scope: Scope) -> Scope | None:
        last = name.rpartition(".")[2]
        own = self.find_dotted(expand_name(name, scope.module)) or scope.module.scope.classes.get(last)
        if own is not None:
            return own if isinstance(own.node, ast.ClassDef) else None
        known = self._index.find_classes(last)
        return known[0] if len(known) == 1 else None

    def find_class(self, node: ast.expr, scope: Scope) -> Scope | None:
        """The class of an expression's value, or of its elements; None when it is not known, or not among what was scanned."""
        key = node, scope
        if key in self._open:
            return None
        self._open.add(key)
        try:
            return self._find_class(node, scope)
        finally:
            self._open.discard(key)

    def _find_class(self, node: ast.expr, scope: Scope) -> Scope | None:
        match node:
            case ast.Name(id="self"):
                return scope.owner
            case ast.Name(id=name):
                return self._find_class_of_name(name, scope)
            case ast.Attribute(value=inner, attr=name):
                owner = self.find_class(inner, scope)
                return self._find_class_of_name(name, owner, is_field=True) if owner is not None else None
            case ast.Call(func=function):
                found = self.find_function(function, scope)
                if found is None or isinstance(found.node, ast.ClassDef):
                    return found
                return (
                    None
                    if not isinstance(found.node, ast.FunctionDef | ast.AsyncFunctionDef)
                    else self._read_class(found.node.returns, found)
                )
            case ast.Subscript(value=inner) | ast.NamedExpr(value=inner):
                return self.find_class(inner, scope)
            case _:
                return None

    def _find_class_of_name(self, name: str, scope: Scope, *, is_field: bool = False) -> Scope | None:
        at: Scope | None = scope
        while at is not None:
            if name in at.annotations:
                return self._read_class(at.annotations[name], at)
            if at.bindings.get(name):
                return self.find_class(at.bindings[name][0], at) if not _mentions(at.bindings[name][0], name) else None
            at = None if is_field else at.parent
        if is_field:
            for function in scope.functions.values():
                for value in function.bindings.get(f"self.{name}", ()):
                    return self.find_class(value, function)
            return (
                self._read_class(getattr(scope.functions[name].node, "returns", None), scope) if name in scope.functions else None
            )
        found = self.find_function(ast.Name(id=name), scope)
        return found if found is not None and isinstance(found.node, ast.ClassDef) else None

    def list_field_values(self, kind: Scope, name: str) -> list[tuple[ast.expr, Scope]]:
        """What a field is given in its class, in those that it comes from and in those that come from it; each in its scope."""
        found: list[tuple[ast.expr, Scope]] = []
        for one in self._list_family(kind):
            found += [(value, one) for value in one.bindings.get(name, ())]
            for function in one.functions.values():
                found += [(value, function) for value in function.bindings.get(f"self.{name}", ())]
        return found

    def _list_family(self, kind: Scope) -> list[Scope]:
        # Each way by itself: what only comes from the same class has fields of its own.
        return [*_spread(kind, self._list_bases), *_spread(kind, self._list_derived)[1:]]

    def _list_bases(self, kind: Scope) -> list[Scope]:
        found = (self._find_named_class(name, kind.parent or kind) for name in list_bases(kind))
        return [one for one in found if one is not None]

    def _list_derived(self, kind: Scope) -> list[Scope]:
        return [one for one in self._index.find_derived(kind) if kind in self._list_bases(one)]

    def list_foreign_values(self, kind: Scope, name: str, package: str) -> list[tuple[ast.expr, Scope]]:
        """What a package gives a field from outside: of objects of that class, and of those whose class is not known."""
        found = self._index.find_foreign(package, name)
        return [(one.value, one.scope) for one in found if self.find_class(one.holder, one.scope) in {kind, None}]

    def _read_class(self, annotation: ast.expr | None, scope: Scope) -> Scope | None:
        return next((kind for name in list_names(annotation) if (kind := self._find_named_class(name, scope)) is not None), None)


def _spread(kind: Scope, list_next: Callable[[Scope], list[Scope]]) -> list[Scope]:
    """A class and all that is reached from it, each once."""
    reached, left = [kind], [kind]
    while left:
        new = [one for one in dict.fromkeys(list_next(left.pop())) if one not in reached]
        reached += new
        left += new
    return reached


def is_enum(kind: Scope) -> bool:
    """True for an enumeration."""
    bases = kind.node.bases if isinstance(kind.node, ast.ClassDef) else []
    return any(
        name.rpartition(".")[2] in {"Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"}
        for base in bases
        for name in list_names(base)
    )


def list_names(annotation: ast.expr | None) -> list[str]:
    """The dotted names in an annotation, outermost first."""
    match annotation:
        case None:
            return []
        case ast.Name(id=name):
            return [name]
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return [f"{module}.{name}"]
        case ast.Constant(value=None):
            return ["None"]
        case ast.Constant(value=str(text)):
            try:
                return list_names(ast.parse(text, mode="eval").body)
            except SyntaxError:
                return []
        case ast.Subscript(value=outer, slice=inner):
            return [*list_names(outer), *list_names(inner)]
        case ast.BinOp(left=left, right=right):
            return [*list_names(left), *list_names(right)]
        case ast.Tuple(elts=parts):
            return [name for part in parts for name in list_names(part)]
        case _:
            return []


def expand_name(name: str, module: Module) -> str:
    """The full name of what a dotted name in a module stands for."""
    first, dot, rest = name.partition(".")
    return f"{module.imports.get(first, first)}{dot}{rest}"


def _mentions(node: ast.expr, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node))
