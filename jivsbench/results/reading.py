"""Which tool wrote a result file, told by what is in it and never by its name; and what it states."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jivsbench.config.mappings import TableMapping
from jivsbench.errors import ConfigError
from jivsbench.model.claims import Claims
from jivsbench.results import gatling, jmeter, jmeter_log, k6, locust
from jivsbench.results.table import read_table
from jivsbench.results.written import load_json, read_text

FORMATS: Final = (
    k6.NAME,
    locust.STATISTICS,
    locust.HISTORY,
    locust.JSON,
    gatling.NAME,
    jmeter_log.NAME,
    jmeter.AGGREGATE,
    jmeter.STATISTICS,
)
# JMeter's `jmeter.save.saveservice.default_delimiter` may be any sign.
_LOG_DELIMITER: Final = re.compile(r"timeStamp([^\w\s\"]|\t)elapsed\1")
_LOG_HEAD: Final = ("timeStamp", "elapsed", "label", "success")
_Reader = Callable[[Sequence[Mapping[str, str]]], tuple[Claims, ...]]
_CSV_HEADS: Final[tuple[tuple[tuple[str, ...], _Reader], ...]] = (
    (("Label", "# Samples", "Average"), jmeter.read_aggregate),
    (("Timestamp", "User Count", "Total Request Count"), locust.read_history),
    (("Type", "Name", "Request Count", "Failure Count"), locust.read_statistics),
)


def read_claims(path: Path, mapping: TableMapping | None = None) -> tuple[Claims, ...]:
    """What a file states; with a mapping, whatever table it is. Raises ConfigError naming the file and what can be read."""
    text = read_text(path)
    try:
        if mapping is not None:
            return read_table(list(_read_rows(text)), mapping)
        claims = _read_known(text)
    except ConfigError as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, csv.Error) as exc:
        raise ConfigError(
            f"{path}: a field is missing or of another kind than its format has ({exc!r}): was it cut short?"
        ) from exc
    if claims is None:
        raise ConfigError(
            f"{path} is no result that can be told from its content (known: our run folders and run.json, {', '.join(FORMATS)}): "
            "say what its columns mean with --mapping"
        )
    return claims


def read_document(path: Path) -> Any:
    """The JSON document in a file, or None when it holds something else."""
    try:
        return load_json(read_text(path))
    except ConfigError:
        return None


def _read_known(text: str) -> tuple[Claims, ...] | None:
    script = gatling.find_object(text)
    if script is not None or text.lstrip().startswith(("{", "[")):
        return _read_json(load_json(script or text))
    delimiter = _LOG_DELIMITER.match(text)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter[1] if delimiter else ",")
    head = rows.fieldnames or ()
    if set(_LOG_HEAD) <= set(head):
        # A line a sample: no list of them beside the text.
        return jmeter_log.read_log(rows)
    read = next((read for columns, read in _CSV_HEADS if set(columns) <= set(head)), None)
    return read(list(rows)) if read else None


def _read_json(document: Any) -> tuple[Claims, ...] | None:
    if k6.is_k6(document):
        return k6.read_k6(document)
    if locust.is_locust(document):
        return locust.read_json(document)
    if gatling.is_gatling(document):
        return gatling.read_gatling(document)
    return jmeter.read_statistics(document) if jmeter.is_statistics(document) else None


def _read_rows(text: str) -> Iterator[Mapping[str, Any]]:
    if not text.lstrip().startswith(("{", "[")):
        yield from csv.DictReader(io.StringIO(text))
        return
    document = load_json(text)
    rows: Sequence[object] = document if isinstance(document, list) else [document]
    for row in rows:
        if not isinstance(row, dict):
            raise ConfigError("a row of the table must be an object, and one is something else: map a list of objects")
        yield row
