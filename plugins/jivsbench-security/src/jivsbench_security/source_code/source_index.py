"""Python source as an index: modules, classes, functions, who calls whom, what each name is bound to. Runs none of it."""

import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jivsbench_security.source_code.module_reading import index_module
from jivsbench_security.source_code.scopes import CallSite, ForeignValue, Module, Scope, list_bases, list_classes


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    text: str


class SourceIndex:
    """All modules that are looked at together. Parsed when something in them is asked for: most of a program is no SQL."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._by_word: defaultdict[str, set[str]] = defaultdict(set)
        self._modules: dict[str, Module | None] = {}
        self._calls: dict[tuple[str, str], list[CallSite]] = {}
        self._calls_elsewhere: dict[tuple[str, str, str], list[CallSite]] = {}
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
        self._by_word.clear()

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
            modules = self._find_modules(name, name, package)
            self._calls[package, name] = [site for module in modules for site in module.calls.get(name, ())]
        return self._calls[package, name]

    def find_calls_elsewhere(self, package: str, name: str, beside: str) -> list[CallSite]:
        """The calls of something by that name in the modules of other packages that speak of this one.

        `beside` is the class of a method, or the module of a function, which these have to speak of, or import the function.
        """
        key = package, name, beside
        if key not in self._calls_elsewhere:
            imported = re.compile(rf"import\s*\([^)]*\b{name}\b|import [^\n(]*\b{name}\b")
            knowing = self._list_files(beside)
            files = {one for one in self._list_files(package) & self._list_files(name) if not _is_in(one, package)}
            texts = {one: self._files[one].text for one in sorted(files)}
            names = [one for one, text in texts.items() if f"{name}(" in text and (one in knowing or imported.search(text))]
            modules = [module for one in names if (module := self.find_module(one)) is not None]
            self._calls_elsewhere[key] = [site for module in modules for site in module.calls.get(name, ())]
        return self._calls_elsewhere[key]

    def find_foreign(self, package: str, name: str) -> list[ForeignValue]:
        """What the attributes by that name are given in a package from outside their classes."""
        return [one for module in self._find_modules(name, f".{name}", package) for one in module.foreign.get(name, ())]

    def find_derived(self, kind: Scope) -> list[Scope]:
        """The classes, of all packages, that name one of this name among their bases; those of the class itself are left out."""
        kinds = [found for module in self._find_modules(kind.name, "class ") for found in list_classes(module.scope)]
        return [one for one in kinds if one is not kind and kind.name in list_bases(one)]

    def find_methods(self, package: str, name: str) -> list[Scope]:
        """The methods by that name in a package."""
        kinds = [kind for module in self._find_modules(name, f"def {name}(", package) for kind in list_classes(module.scope)]
        return [kind.functions[name] for kind in kinds if name in kind.functions]

    def find_classes(self, name: str) -> list[Scope]:
        """The classes by that name in all packages."""
        kinds = [kind for module in self._find_modules(name, f"class {name}") for kind in list_classes(module.scope)]
        return [kind for kind in kinds if kind.name == name]

    def _find_modules(self, word: str, text: str, package: str = "") -> list[Module]:
        """Those that hold a word, and a text around it or beside it, of one package or of all."""
        names = [one for one in sorted(self._list_files(word)) if not package or _is_in(one, package)]
        found = [self.find_module(one) for one in names if text in self._files[one].text]
        return [module for module in found if module is not None]

    def _list_files(self, word: str) -> set[str]:
        """The names of the modules that hold a word."""
        if not self._by_word:
            for name, file in self._files.items():
                for one in _list_words(file.text):
                    self._by_word[one].add(name)
        return self._by_word.get(word, set())


def _is_in(name: str, package: str) -> bool:
    return name.partition(".")[0] == package


def build_index(folders: Iterable[Path], left_out: Iterable[str] = ()) -> SourceIndex:
    """The index of modules, and of all Python files under packages' folders but those in one that ends in one of `left_out`."""
    index = SourceIndex()
    endings = tuple(left_out)
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*.py")):
            if not (endings and str(path.parent).endswith(endings)):
                parts = path.relative_to(folder.parent).with_suffix("").parts
                index.add(".".join(parts).removesuffix(".__init__"), path, path.read_text("utf-8", "replace"))
    return index


@functools.lru_cache(maxsize=4_096)
def _list_words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))


@functools.lru_cache(maxsize=4_096)
def _parse(path: Path, name: str, text: str) -> Module | None:
    """Once as long as the file stays the same; None for what is no Python."""
    try:
        return index_module(text, path, name)
    except (SyntaxError, ValueError, RecursionError):
        return None
