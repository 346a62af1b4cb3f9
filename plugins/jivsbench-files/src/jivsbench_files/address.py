"""What a files URL says: the root folder, how its files are written, and the limits."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from jivsbench.errors import ConfigError
from jivsbench.model.secret import Secret
from jivsbench.model.whole_numbers import MOST_DIGITS, parse_whole_number
from jivsbench_files.limits import FileLimits

_FORM: Final = "files:///absolute/folder?option=value"
_PSEUDO: Final = ("/proc", "/sys", "/dev")
_LIMITS: Final = tuple(field.name for field in fields(FileLimits))


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How the files of a source are written, as far as the files do not say it themselves."""

    delimiter: str = ""
    """Of CSV; empty means a comma, and a tab in .tsv."""
    encoding: str = "utf-8"
    has_header: bool = True
    record: str = ""
    """The XML element that is a row."""
    sheet: str = ""
    """Of a workbook; empty means the only one."""
    takes_hard_links: bool = False
    """Whether a file may have further names, which can lie outside the root."""


@dataclass(frozen=True, slots=True)
class FilesAddress:
    """Where, how and how much."""

    root: Path
    options: ReadingOptions
    limits: FileLimits


def parse_address(url: Secret) -> FilesAddress:
    """Read a URL. Raises ConfigError, which repeats no part of it but the option's name."""
    try:
        parts = urlsplit(url.reveal())
        path = unquote(parts.path, errors="strict")
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True, errors="strict") if parts.query else []
    except ValueError:
        raise ConfigError(f"a files URL cannot be read: write {_FORM}") from None
    if parts.scheme != "files" or parts.netloc or parts.fragment or not path.startswith("/") or "\0" in path:
        raise ConfigError(f"a files URL names a folder by its absolute path, and no host: write {_FORM}")
    options = dict(given)
    if len(options) != len(given):
        raise ConfigError("a files URL gives an option twice: keep one of them")
    limits = FileLimits(**{name: _read_limit(name, options.pop(name)) for name in _LIMITS if name in options})
    return FilesAddress(_check_root(Path(path)), _read_options(options), limits)


def _check_root(root: Path) -> Path:
    real = root.resolve()
    if any(real.is_relative_to(place) for place in _PSEUDO) and not real.is_relative_to("/dev/shm"):  # noqa: S108 - ordinary files lie there
        raise ConfigError(f"{root} is the kernel's, not a folder of tables: name a folder with files")
    return root


def _read_limit(name: str, text: str) -> int:
    limit = parse_whole_number(text)
    if not limit:
        raise ConfigError(
            f"the option {name} of a files URL is a whole number above 0 of at most {MOST_DIGITS} digits, in the unit of its name"
        )
    return limit


def _read_options(options: dict[str, str]) -> ReadingOptions:
    known = ("delimiter", "encoding", "header", "record", "sheet", "hard_links")
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ConfigError(f"a files URL has no option {unknown[0]!r}: it has {', '.join((*known, *_LIMITS))}")
    delimiter = options.get("delimiter", "")
    if delimiter and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
        raise ConfigError("the option delimiter of a files URL is one ASCII character, and no quote or line end")
    return ReadingOptions(
        delimiter=delimiter,
        encoding=_read_encoding(options),
        has_header=_read_flag(options, "header", "yes"),
        record=options.get("record", ""),
        sheet=options.get("sheet", ""),
        takes_hard_links=_read_flag(options, "hard_links", "no"),
    )


def _read_flag(options: dict[str, str], name: str, default: str) -> bool:
    text = options.get(name, default)
    if text not in ("yes", "no"):
        raise ConfigError(f"the option {name} of a files URL is yes or no")
    return text == "yes"


def _read_encoding(options: dict[str, str]) -> str:
    import codecs

    try:
        codec = codecs.lookup(options.get("encoding", "utf-8"))
        codec.incrementaldecoder("strict").decode(b"")
    except (LookupError, TypeError, ValueError):
        raise ConfigError("the option encoding of a files URL is no encoding of texts: e.g. latin-1, cp1252, utf-16") from None
    if not getattr(codec, "_is_text_encoding", True):
        raise ConfigError("the option encoding of a files URL is no encoding of texts: e.g. latin-1, cp1252, utf-16")
    return codec.name
