"""Reads one file of Python source into its scopes. Runs none of it."""

import ast
from collections.abc import Iterable
from pathlib import Path

from jivsbench_security.source_code.scopes import CallSite, Comprehension, ForeignValue, Function, Module, Scope, find_last_name


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
        self.visit_body([*node.decorator_list, *node.bases, *node.keywords])
        self._enter(Scope(self._module, node, self._scope), node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._enter_function(node, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - as ast calls them

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
        self.visit_body(scope.defaults.values())
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
        self._module.calls[find_last_name(node.func)].append(CallSite(node, self._scope))
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

    def visit_Return(self, node: ast.Return | ast.Yield | ast.YieldFrom) -> None:
        if node.value is not None:
            self._scope.returned.append(node.value)
        self.generic_visit(node)

    visit_Yield = visit_YieldFrom = visit_Return  # noqa: N815 - as ast calls them

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
            self._scope.holder_of(node.target.id).pasted[node.target.id].append(node)
        else:
            self._bind(node.target, ast.copy_location(ast.BinOp(node.target, node.op, node.value), node))
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self._scope.elsewhere |= dict.fromkeys(node.names, self._module.scope)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            at = self._scope.parent
            while at is not None and name not in at.bindings:
                at = at.parent
            if at is not None:
                self._scope.elsewhere[name] = at

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._bind(node.target, node.value)
        self.generic_visit(node)

    def visit_For(self, node: ast.For | ast.AsyncFor | ast.comprehension) -> None:
        self._bind(node.target, node.iter)
        self.generic_visit(node)

    visit_AsyncFor = visit_comprehension = visit_For  # noqa: N815 - as ast calls them

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> None:
        self._enter_comprehension(node, [*node.generators, node.elt])

    visit_SetComp = visit_GeneratorExp = visit_ListComp  # noqa: N815 - as ast calls them

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._enter_comprehension(node, [*node.generators, node.key, node.value])

    def _enter_comprehension(self, node: Comprehension, body: Iterable[ast.AST]) -> None:
        scope = self._module.comprehensions[node] = Scope(self._module, node, self._scope)
        self._enter(scope, body)

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
                self._scope.holder_of(name).bindings[name].append(value)
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
            case ast.Attribute(value=holder, attr=name):
                self._module.foreign[name].append(ForeignValue(holder, value, self._scope))
            case _:
                return
