"""Numbers as files write them: with their digits, because the last of them says how exact the number is."""

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from jivsbench.analysis.contradictions import find_mark
from jivsbench.errors import ConfigError
from jivsbench.model.claims import Part, Quantity, Stated

Figures = Iterable[tuple[Quantity, Stated | None]]
_HUNDREDTH: Final = 0.01
_THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")
_LARGEST_EXPONENT: Final = 300
_LARGEST_COUNT: Final = 10**15
_NOTE_KEYS: Final = ("provenance", "source", "note", "notes", "comment", "description", "mode", "method", "generated_by")


def load_json(text: str) -> Any:
    """A JSON document whose numbers keep the digits that were written, and whose texts a file can hold. Raises ConfigError."""
    try:
        document = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        return _replace_surrogates(document) if "\\ud" in text.casefold() else document
    except InvalidOperation:
        raise ConfigError("this is not JSON of a result: a number in it has an exponent that nothing has") from None
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"this is not JSON: {exc}") from None


def read_text(path: Path, errors: str = "strict") -> str:
    """The text of a result file; `errors` is `replace` where only its numbers count. Raises ConfigError naming it."""
    try:
        return path.read_text(encoding="utf-8-sig", errors=errors)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist: name a result file or the folder of a run") from None
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is not UTF-8 text (byte {exc.start}): name a result file as its tool wrote it") from exc
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read ({exc.strerror}): check its name and its permissions") from exc


def parse_number(written: object) -> Decimal | None:
    """The number in a cell or a JSON value; None when there is none (`-`, `N/A`, nothing).

    A comma parts thousands, and only where it can: `0,24` is none of ours, and surely not 24.

    >>> parse_number(" 92,163 "), parse_number("0.24 %"), parse_number("-"), parse_number("0,24 %")
    (Decimal('92163'), Decimal('0.24'), None, None)
    """
    if isinstance(written, Decimal):
        return written if _is_sensible(written) else None
    if not isinstance(written, str):
        return None
    text = written.strip().removesuffix("%").rstrip()
    try:
        number = Decimal(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text)
    except InvalidOperation:
        return None
    return number if _is_sensible(number) else None


def parse_count(written: object) -> int | None:
    """A whole number of things; None for anything else, and for more than can be counted.

    >>> parse_count(" 200 "), parse_count("2.5"), parse_count("1e999999999"), parse_count("\u00b2")
    (200, None, None, None)
    """
    number = parse_number(written)
    if number is None or abs(number) > _LARGEST_COUNT or number != int(number):
        return None
    return int(number)


def _replace_surrogates(document: object) -> object:
    """JSON can name half a character, which no file can hold."""
    if isinstance(document, str):
        return document.encode("utf-8", "replace").decode()
    if isinstance(document, dict):
        return {_replace_surrogates(key): _replace_surrogates(value) for key, value in document.items()}
    return [_replace_surrogates(value) for value in document] if isinstance(document, list) else document


def _is_sensible(number: Decimal) -> bool:
    """False for what no measurement gives. Written out, a number of a billion digits would take all memory."""
    return number.is_finite() and abs(number.adjusted()) <= _LARGEST_EXPONENT


def count(name: str, written: object) -> Stated | None:
    """A whole number of things: exact."""
    return exact(name, written)


def exact(name: str, written: object, scale: float = 1.0) -> Stated | None:
    """A number, times `scale`, that its tool writes to the last bit: of such a one `1` is no rounded 0.6."""
    number = parse_number(written)
    return None if number is None else Stated(name, float(number) * scale)


def figure(name: str, written: object, scale: float = 1.0, *, slack: float = 0.0, provenance: str | None = None) -> Stated | None:
    """A measured number, times `scale`; as exact as its last digit, or as `slack` (in the file's unit) when that is more."""
    number = parse_number(written)
    if number is None:
        return None
    return Stated(name, float(number) * scale, max(_last_digit(number), slack) * scale, provenance=provenance)


def percent(name: str, written: object, *, provenance: str | None = None) -> Stated | None:
    """A ratio that the file writes in percent."""
    number = parse_number(written)
    if number is None:
        return None
    return Stated(name, float(number) * _HUNDREDTH, _last_digit(number) * _HUNDREDTH, is_percent=True, provenance=provenance)


def build_part(name: str, figures: Figures) -> Part:
    """A part of what the file states; figures that it leaves out are left out."""
    return Part(name, tuple((quantity, stated) for quantity, stated in figures if stated is not None))


def implied_duration(counted: Stated | None, per_s: Stated | None) -> Stated | None:
    """The time that a count and its rate stand for together, with what rounding leaves open."""
    if counted is None or per_s is None or per_s.value <= per_s.slack:
        return None
    least, most = counted.value / (per_s.value + per_s.slack), counted.value / (per_s.value - per_s.slack)
    middle = counted.value / per_s.value
    slack = max(most - middle, middle - least)
    return Stated(f"{counted.name} / {per_s.name}", middle, slack, implied_by=(counted, per_s))


def find_marks(document: object, place: str = "") -> Iterator[str]:
    """Places of a JSON document that call its figures simulated: a flag that is set, or a note that says so."""
    if isinstance(document, dict):
        for key, value in document.items():
            here = f"{place}.{key}".lstrip(".")
            is_note = key.casefold() in _NOTE_KEYS and isinstance(value, str) and find_mark(value)
            if is_note or (find_mark(key) and value not in (False, None, "", 0)):
                yield f"{here} = {value}" if isinstance(value, str | bool) else here
            else:
                yield from find_marks(value, here)
    elif isinstance(document, list):
        for position, value in enumerate(document):
            yield from find_marks(value, f"{place}[{position}]")


def _last_digit(number: Decimal) -> float:
    exponent = number.as_tuple().exponent
    return float(Decimal(1).scaleb(exponent)) if isinstance(exponent, int) else 0.0
