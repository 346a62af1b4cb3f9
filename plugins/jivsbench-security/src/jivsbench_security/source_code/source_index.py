"""Python source as an index: modules, classes, functions, who calls whom, what each name is bound to. Runs none of it."""

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
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
    parameters: tuple[str, ...] = ()
    defaults: dict[str, ast.expr] = field(default_factory=dict)

    @property
    def is_method(self) -> bool:
        """True for a function directly in a class."""
        return self.parent is not None and isinstance(self.parent.node, ast.ClassDef)

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
class Module:
    """One file. `name` is dotted, from the outermost package on."""

    path: Path
    name: str
    imports: dict[str, str] = field(default_factory=dict)
    """Name in this module to what it stands for, dotted."""
    calls: dict[str, list[CallSite]] = field(default_factory=lambda: defaultdict(list))
    comprehensions: dict[ast.expr, Scope] = field(default_factory=dict)
    scope: Scope = field(init=False)


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    text: str

    def may_have(self, name: str) -> bool:
        return name in self.text


class SourceIndex:
    """All modules that are looked at together. Parsed when something in them is asked for: most of a program is no SQL."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._modules: dict[str, Module | None] = {}
        self._calls: dict[tuple[str, str], list[CallSite]] = {}
        self.unreadable: list[Path] = []
        """Files that are no Python, as far as they were asked for."""

    def __len__(self) -> int:
        return len(self._files)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return tuple(file.path for file in self._files.values())

    def add(self, name: str, path: Path, text: str) -> None:
        """Take in one file. `name` is dotted, from the outermost package on."""
        self._files[name] = _File(path, text)

    def find_module(self, name: str) -> Module | None:
        """The module of that dotted name."""
        if name not in self._modules:
            file = self._files.get(name)
            self._modules[name] = _parse(file.path, name, file.text) if file is not None else None
            if file is not None and self._modules[name] is None:
                self.unreadable.append(file.path)
        return self._modules[name]

    def find_modules(self, pattern: re.Pattern[str]) -> Iterator[Module]:
        """The modules whose text holds the pattern."""
        found = [name for name, file in self._files.items() if pattern.search(file.text)]
        yield from (module for name in found if (module := self.find_module(name)) is not None)

    def find_calls(self, package: str, name: str) -> list[CallSite]:
        """The calls of something by that name in a package, whatever it is."""
        if (package, name) not in self._calls:
            modules = self._find_in_package(package, name)
            self._calls[package, name] = [site for module in modules for site in module.calls.get(name, ())]
        return self._calls[package, name]

    def find_methods(self, package: str, name: str) -> list[Scope]:
        """The methods by that name in a package."""
        kinds = [kind for module in self._find_in_package(package, f"def {name}(") for kind in list_classes(module.scope)]
        return [kind.functions[name] for kind in kinds if name in kind.functions]

    def find_classes(self, name: str) -> list[Scope]:
        """The classes by that name in all packages."""
        modules = [self.find_module(one) for one, file in self._files.items() if file.may_have(f"class {name}")]
        return [kind for one in modules if one is not None for kind in list_classes(one.scope) if _name_of(kind) == name]

    def _find_in_package(self, package: str, text: str) -> list[Module]:
        names = [name for name, file in self._files.items() if name.partition(".")[0] == package and file.may_have(text)]
        return [module for name in names if (module := self.find_module(name)) is not None]


def build_index(folders: Iterable[Path], left_out: Iterable[str] = ()) -> SourceIndex:
    """The index of all Python files under some packages' folders, but those in a folder that ends in one of `left_out`."""
    index = SourceIndex()
    endings = tuple(left_out)
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*.py")):
            if not (endings and str(path.parent).endswith(endings)):
                parts = path.relative_to(folder.parent).with_suffix("").parts
                index.add(".".join(parts).removesuffix(".__init__"), path, path.read_text("utf-8", "replace"))
    return index


@functools.lru_cache(maxsize=4_096)
def _parse(path: Path, name: str, text: str) -> Module | None:
    """Once as long as the file stays the same; None for what is no Python."""
    try:
        return index_module(text, path, name)
    except (SyntaxError, ValueError, RecursionError):
        return None


def index_module(text: str, path: Path, name: str) -> Module:
    """The module of a text. Raises SyntaxError."""
    tree = ast.parse(text)
    module = Module(path, name)
    module.scope = Scope(module, tree, None)
    _Indexer(module).visit_body(tree.body)
    return module


class _Indexer(ast.NodeVisitor):
    """Fills the scopes of one module."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._scope = module.scope

    def visit_body(self, body: Iterable[ast.AST]) -> None:
        """All statements of a block."""
        for node in body:
            self.visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._module.imports[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        parts = self._module.name.split(".")
        is_package = self._module.path.name == "__init__.py"
        base = parts[: len(parts) - node.level + is_package] if node.level else []
        for alias in node.names:
            self._module.imports[alias.asname or alias.name] = ".".join(filter(None, (*base, node.module, alias.name)))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._enter(Scope(self._module, node, self._scope), node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._enter_function(node, node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._enter_function(node, node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._enter_function(node, [node.body])

    def _enter_function(self, node: Function, body: Iterable[ast.AST]) -> None:
        scope = Scope(self._module, node, self._scope)
        asked = node.args
        named = [*asked.posonlyargs, *asked.args]
        scope.parameters = tuple(one.arg for one in named)
        late = zip(reversed(named), reversed(asked.defaults), strict=False)
        early = zip(asked.kwonlyargs, asked.kw_defaults, strict=True)
        scope.defaults = {one.arg: value for one, value in (*late, *early) if value is not None}
        for one in (*named, *asked.kwonlyargs, asked.vararg, asked.kwarg):
            if one is not None:
                scope.bindings[one.arg] = []
                if one.annotation is not None:
                    scope.annotations[one.arg] = one.annotation
        if isinstance(node, ast.Lambda):
            scope.returned.append(node.body)
        else:
            self.visit_body(node.decorator_list)
        self._enter(scope, body)

    def _enter(self, scope: Scope, body: Iterable[ast.AST]) -> None:
        outer = self._scope
        if isinstance(scope.node, ast.ClassDef):
            outer.classes[scope.node.name] = scope
        elif isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef):
            outer.functions[scope.node.name] = scope
        self._scope = scope
        self.visit_body(body)
        self._scope = outer

    def visit_Call(self, node: ast.Call) -> None:
        self._module.calls[_last_name(node.func)].append(CallSite(node, self._scope))
        self._note_growth(node)
        self.generic_visit(node)

    def _note_growth(self, node: ast.Call) -> None:
        """`parts.append(x)` gives `parts` another element."""
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in {"append", "extend", "add", "insert", "appendleft"}
            and node.args
        ):
            self._bind(node.func.value, node.args[-1])

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self._scope.returned.append(node.value)
        self.generic_visit(node)

    def visit_Yield(self, node: ast.Yield) -> None:
        if node.value is not None:
            self._scope.returned.append(node.value)
        self.generic_visit(node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> None:
        self._scope.returned.append(node.value)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._bind(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._scope.annotations[node.target.id] = node.annotation
        if node.value is not None:
            self._bind(node.target, node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._scope.pasted[node.target.id].append(node)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._bind(node.target, node.value)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self._bind(node.target, node.iter)
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._enter_comprehension(node, [*node.generators, node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._enter_comprehension(node, [*node.generators, node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._enter_comprehension(node, [*node.generators, node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._enter_comprehension(node, [*node.generators, node.key, node.value])

    def _enter_comprehension(self, node: Comprehension, body: Iterable[ast.AST]) -> None:
        scope = self._module.comprehensions[node] = Scope(self._module, node, self._scope)
        self._enter(scope, body)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._bind(node.target, node.iter)
        self.generic_visit(node)

    def visit_withitem(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._bind(node.optional_vars, node.context_expr)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name is not None:
            self._scope.bindings.setdefault(node.name, [])
        self.generic_visit(node)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        match target:
            case ast.Name(id=name):
                self._scope.bindings[name].append(value)
            case ast.Starred(value=inner):
                self._bind(inner, value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                values = (
                    value.elts
                    if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(parts)
                    else [value] * len(parts)
                )
                for part, one in zip(parts, values, strict=True):
                    self._bind(part, one)
            case ast.Subscript(value=inner):
                self._bind(inner, value)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                # Kept with its function, in which the value has to be read.
                self._scope.bindings[f"self.{name}"].append(value)
            case _:
                return


def list_classes(scope: Scope) -> Iterator[Scope]:
    """The classes in a scope, at whatever depth."""
    for kind in scope.classes.values():
        yield kind
        yield from list_classes(kind)
    for function in scope.functions.values():
        yield from list_classes(function)


def _name_of(kind: Scope) -> str:
    return kind.node.name if isinstance(kind.node, ast.ClassDef) else ""


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
