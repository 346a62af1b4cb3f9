"""What Python source consists of, as far as texts are followed through it: modules, scopes, calls, values given from outside."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(eq=False, slots=True)
class Scope:
    """A module, class, function or comprehension: what its names are bound to, one after another, and what it returns."""

    module: "Module"
    node: ast.Module | ast.ClassDef | Function | Comprehension
    parent: "Scope | None"
    bindings: dict[str, list[ast.expr]] = field(default_factory=lambda: defaultdict(list))
    """Name, or `self.name` in a class, to the expressions that it is given; elements of an iterable count as the iterable."""
    pasted: dict[str, list[ast.AugAssign]] = field(default_factory=lambda: defaultdict(list))
    annotations: dict[str, ast.expr] = field(default_factory=dict)
    functions: dict[str, "Scope"] = field(default_factory=dict)
    classes: dict[str, "Scope"] = field(default_factory=dict)
    returned: list[ast.expr] = field(default_factory=list)
    elsewhere: dict[str, "Scope"] = field(default_factory=dict)
    """Names that a function binds in a scope around it: global and nonlocal ones."""
    parameters: tuple[str, ...] = ()
    defaults: dict[str, ast.expr] = field(default_factory=dict)

    def holder_of(self, name: str) -> "Scope":
        """The scope that a binding of the name in this one belongs to."""
        return self.elsewhere.get(name, self)

    @property
    def is_method(self) -> bool:
        """True for a function directly in a class."""
        return self.parent is not None and isinstance(self.parent.node, ast.ClassDef)

    @property
    def is_bound(self) -> bool:
        """True for a method that is called without its first parameter."""
        decorators = self.node.decorator_list if isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef) else []
        return self.is_method and not any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in decorators)

    @property
    def name(self) -> str:
        """Of a class or function; empty for anything else."""
        return getattr(self.node, "name", "")

    @property
    def owner(self) -> "Scope | None":
        """The class around it, at whatever depth."""
        scope: Scope | None = self
        while scope is not None and not isinstance(scope.node, ast.ClassDef):
            scope = scope.parent
        return scope


@dataclass(eq=False, slots=True)
class CallSite:
    """A call, and where it stands."""

    call: ast.Call
    scope: Scope


@dataclass(eq=False, slots=True)
class ForeignValue:
    """`holder.attribute = value`, by another than the object itself."""

    holder: ast.expr
    value: ast.expr
    scope: Scope


@dataclass(eq=False, slots=True)
class Module:
    """One file. `name` is dotted, from the outermost package on."""

    path: Path
    name: str
    imports: dict[str, str] = field(default_factory=dict)
    """Name in this module to what it stands for, dotted."""
    calls: dict[str, list[CallSite]] = field(default_factory=lambda: defaultdict(list))
    comprehensions: dict[ast.expr, Scope] = field(default_factory=dict)
    foreign: dict[str, list[ForeignValue]] = field(default_factory=lambda: defaultdict(list))
    """Attribute to what it is given from outside its class."""
    scope: Scope = field(init=False)


def list_classes(scope: Scope) -> Iterator[Scope]:
    """The classes in a scope, at whatever depth."""
    for kind in scope.classes.values():
        yield kind
        yield from list_classes(kind)
    for function in scope.functions.values():
        yield from list_classes(function)


def list_bases(kind: Scope) -> list[str]:
    """The last names of a class's bases."""
    bases = kind.node.bases if isinstance(kind.node, ast.ClassDef) else []
    return [find_last_name(base.value if isinstance(base, ast.Subscript) else base) for base in bases]


def find_last_name(node: ast.expr) -> str:
    """`b` of `a.b`, `a` of `a`; empty for anything else."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
