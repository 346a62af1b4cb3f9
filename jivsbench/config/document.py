"""A TOML file that is read key by key, so that every mistake can be shown with its file, its line and its key.

No message repeats a value: any of them could be a password in the wrong place.
"""

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import inf, isfinite
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from jivsbench.errors import ConfigError, UnknownNameError

KeyPath = tuple[str | int, ...]
_T = TypeVar("_T")
_MOST: Final = 2**63 - 1
_KINDS: Final = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}


UNREADABLE: Final = (ValueError, RecursionError)
"""What tomllib raises: for text that is not TOML, for a number of thousands of digits, and for values nested too deeply."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file that parsed as TOML."""

    path: Path
    text: str
    values: Mapping[str, object]

    @property
    def root(self) -> "Section":
        """The whole file as a section."""
        return Section(self, (), self.values)

    def line_of(self, key: KeyPath) -> int:
        """The first line of the statement that brings a key.

        The file is read again, line by line longer, until the key is there: exact for every way to write TOML, and
        its price is paid only on the way to an error message.
        """
        lines = self.text.splitlines(keepends=True)
        after_last_statement = 0
        for count in range(1, len(lines) + 1):
            try:
                values = tomllib.loads("".join(lines[:count]))
            except UNREADABLE:
                continue
            if _has(values, key):
                return after_last_statement + 1
            after_last_statement = count
        return 1

    def place(self, key: KeyPath) -> str:
        """File, line and key, as they stand at the front of a message."""
        return f"{self.path}:{self.line_of(key)}: {format_key(key)}"


def read_document(path: Path) -> Document:
    """Read and parse a TOML file. Raises ConfigError with file and line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: the file is not UTF-8 text (byte {exc.start}): save it as UTF-8") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: the file cannot be read ({exc.strerror}): check its name and its permissions") from exc
    try:
        return Document(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}:{_line_of_syntax_error(exc, text)}: {_describe_syntax_error(exc)}") from exc
    except UNREADABLE as exc:
        problem = "it is nested too deeply" if isinstance(exc, RecursionError) else "a number has thousands of digits"
        raise ConfigError(f"{path}:{_line_of_excess(text)}: {problem}: write it as the documentation shows it") from exc


class Section:
    """One table of a file. Each method reads one key and refuses a value of another kind."""

    __slots__ = ("_document", "_key", "_values")

    def __init__(self, document: Document, key: KeyPath, values: Mapping[str, object]) -> None:
        self._document = document
        self._key = key
        self._values = values

    def __contains__(self, key: str) -> bool:
        return key in self._values

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that the file gives, in its order."""
        return tuple(self._values)

    @property
    def folder(self) -> Path:
        """The folder of the file: what its relative paths start from."""
        return self._document.path.parent

    def expect(self, known: Collection[str]) -> None:
        """Refuse every key that is not known, naming the nearest one."""
        for key in self._values:
            if key not in known:
                place = f"key of [{format_key(self._key)}]" if self._key else "section or key"
                self.fail(key, str(UnknownNameError.among(place, key, known)))

    def fail(self, key: str | None, problem: str) -> NoReturn:
        """Raise ConfigError for a key of this section, or, with None, for the section itself."""
        raise ConfigError(f"{self.place(key)}: {problem}")

    def place(self, key: str | None) -> str:
        """File, line and key, as they stand at the front of a message."""
        return self._document.place((*self._key, key) if key is not None else self._key)

    def text(self, key: str) -> str | None:
        """A text that is not empty; None when the key is absent."""
        if key not in self._values:
            return None
        value = self._read(key, str)
        if not value.strip():
            self.fail(key, "it is empty: give it a value, or leave the key out")
        return value

    def required_text(self, key: str) -> str:
        """A text that must be there."""
        value = self.text(key)
        if value is None:
            self.fail(None, f"the key {key!r} is missing: add it")
        return value

    def flag(self, key: str, default: bool) -> bool:  # noqa: FBT001 - the default of a switch is a boolean
        """True or false."""
        return self._read(key, bool) if key in self._values else default

    def integer(self, key: str, default: int | None = None, *, least: int = 1, most: int = _MOST) -> int:
        """A whole number from `least` to `most`; without a default it must be there."""
        if key not in self._values:
            if default is None:
                self.fail(None, f"the key {key!r} is missing: add it")
            return default
        value = self._read(key, int)
        if value < least:
            self.fail(key, f"it must be {least} or more")
        if value > most:
            self.fail(key, f"it must be {most:,} or less")
        return value

    def number(self, key: str, default: float | None = None, *, least: float | None = None, most: float | None = None) -> float:
        """A finite number above zero, or of at least `least`, and of at most `most`; without a default it must be there."""
        if key not in self._values:
            if default is None:
                self.fail(None, f"the key {key!r} is missing: add it")
            return default
        try:
            value = float(self._read(key, int) if type(self._values[key]) is int else self._read(key, float))
        except OverflowError:
            value = inf
        if not isfinite(value) or (value <= 0 if least is None else value < least):
            limit = "above 0" if least is None else f"of {least:g} or more"
            self.fail(key, f"it must be a finite number {limit}")
        if most is not None and value > most:
            self.fail(key, f"it must be {most:,.0f} or less")
        return value

    def choice(self, key: str, known: Sequence[str], default: str) -> str:
        """One word of a known few."""
        value = self.text(key) or default
        if value not in known:
            self.fail(key, f"it must be one of {', '.join(known)}")
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of texts, none of them empty; None when the key is absent."""
        if key not in self._values:
            return None
        values = self._read(key, list)
        for position, value in enumerate(values):
            if type(value) is not str or not value.strip():
                self.fail(key, f"entry {position + 1} must be text that is not empty")
        return tuple(values)

    def entries(self, key: str) -> tuple["str | Section", ...] | None:
        """A list of texts and tables, mixed as the file likes; None when the key is absent."""
        if key not in self._values:
            return None
        values = self._read(key, list)
        for position, value in enumerate(values):
            if type(value) is not dict and (type(value) is not str or not value.strip()):
                self.fail(key, f"entry {position + 1} must be text that is not empty, or a table")
        return tuple(
            value if isinstance(value, str) else Section(self._document, (*self._key, key, position), value)
            for position, value in enumerate(values)
        )

    def required_date(self, key: str) -> str:
        """A date, such as 2030-12-31, as ISO text; it must be there."""
        value = self._values.get(key)
        if type(value) is not date:
            self.fail(key if value is not None else None, f"the key {key!r} must be a date: write {key} = 2030-12-31")
        return value.isoformat()

    def scalars(self, key: str) -> tuple[str | int | float | bool, ...]:
        """A list of texts, finite numbers, true or false; empty when the key is absent."""
        values = self._read(key, list) if key in self._values else []
        for position, value in enumerate(values):
            if type(value) not in {str, int, float, bool} or (type(value) is float and not isfinite(value)):
                self.fail(key, f"entry {position + 1} must be text, a finite number, true or false")
        return tuple(values)

    def section(self, key: str) -> "Section":
        """A table within this one; an empty one when the key is absent."""
        values = self._read(key, dict) if key in self._values else {}
        return Section(self._document, (*self._key, key), values)

    def is_table(self, key: str) -> bool:
        """True when the key holds a table of its own."""
        return isinstance(self._values.get(key), dict)

    def sections(self, key: str) -> tuple["Section", ...]:
        """A list of tables, written `[[key]]`."""
        values = self._read(key, list) if key in self._values else []
        for position, value in enumerate(values):
            if type(value) is not dict:
                self.fail(key, f"entry {position + 1} must be a table: write [[{key}]]")
        return tuple(Section(self._document, (*self._key, key, position), value) for position, value in enumerate(values))

    def _read(self, key: str, kind: type[_T]) -> _T:
        value = self._values[key]
        if type(value) is not kind:
            found = _KINDS.get(type(value), "a date or time")
            self.fail(key, f"it must be {_KINDS[kind]}, and it is {found}")
        return value


def format_key(key: KeyPath) -> str:
    """`profiles.fast.pool`, `stages[0].users`: a key as it is named in messages."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "the file"


def _has(values: object, key: KeyPath) -> bool:
    for part in key:
        if isinstance(part, int):
            if not isinstance(values, list) or len(values) <= part:
                return False
            values = values[part]
        elif not isinstance(values, dict) or part not in values:
            return False
        else:
            values = values[part]
    return bool(key)


def _line_of_syntax_error(exc: tomllib.TOMLDecodeError, text: str) -> int:
    match = re.search(r"at line (\d+)", str(exc))
    return int(match[1]) if match else text.count("\n") + 1


def _line_of_excess(text: str) -> int:
    """The line up to which the text has too much of something. As in `line_of`, it is read again, line by line longer."""
    lines = text.splitlines(keepends=True)
    for count in range(1, len(lines) + 1):
        try:
            tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        except UNREADABLE:
            return count
    return len(lines)


def _describe_syntax_error(exc: tomllib.TOMLDecodeError) -> str:
    reason = re.sub(r"\s*\(at .*\)$", "", str(exc))
    return f"this is not TOML: {reason[:1].lower()}{reason[1:]}"
