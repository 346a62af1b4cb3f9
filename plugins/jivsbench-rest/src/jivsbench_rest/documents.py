"""JSON without losses: numbers keep every digit, a key that comes twice is refused, and nothing is guessed."""

import json
from decimal import Decimal
from typing import Any

from jivsbench.errors import ExtractionError


class BadDocumentError(Exception):
    """What is wrong with a document, in words that repeat none of it. Never leaves this package."""


def parse_document(body: bytes) -> Any:
    """A document with int, Decimal, str, bool, None, list and dict. Raises BadDocumentError."""
    try:
        return json.loads(
            body.decode("utf-8-sig"), parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_build_object
        )
    except UnicodeDecodeError:
        raise BadDocumentError("it is not UTF-8") from None
    except RecursionError:
        raise BadDocumentError("it is nested too deeply") from None
    except (ValueError, ArithmeticError):
        raise BadDocumentError("it is not valid JSON, or not whole") from None


def find_value(document: Any, path: str) -> tuple[bool, Any]:
    """Whether a path (`meta.next`) leads anywhere, and where to. The empty path is the document itself."""
    for name in filter(None, path.split(".")):
        if not isinstance(document, dict) or name not in document:
            return False, None
        document = document[name]
    return True, document


def format_value(value: Any, max_depth: int) -> str:
    """A value as JSON text, with all of its digits. Raises BadDocumentError when it is nested deeper than allowed."""
    if max_depth < 0:
        raise BadDocumentError("it is nested deeper than max_depth")
    match value:
        case dict():
            pairs = (f"{json.dumps(name, ensure_ascii=False)}:{format_value(v, max_depth - 1)}" for name, v in value.items())
            return "{" + ",".join(pairs) + "}"
        case list():
            return "[" + ",".join(format_value(element, max_depth - 1) for element in value) + "]"
        case Decimal():
            return str(value)
    return json.dumps(value, ensure_ascii=False)


def read_records(document: Any, path: str, resource: str) -> list[dict[str, Any]]:
    """The list of records of a page. Raises ExtractionError when it is not where the URL says."""
    is_there, records = find_value(document, path)
    where = f"at {path!r}" if path else "as the whole document"
    if not is_there or not isinstance(records, list):
        raise ExtractionError(f"resource {resource!r} has no list of records {where}: correct `records` in the source's URL")
    if not all(isinstance(record, dict) for record in records):
        raise ExtractionError(f"resource {resource!r} lists something {where} that is no object: this connector reads objects")
    return records


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise BadDocumentError("an object has the same key twice")
    return built


def _refuse_constant(_name: str) -> Any:
    raise BadDocumentError("it holds NaN or Infinity, which JSON does not know")
