"""Unpacks files as a whole before anything is counted, and takes document types: the holes that SEC-014 must find."""

import gzip
from collections.abc import Callable
from typing import Any

from jivsbench.api import Connector, hookimpl
from jivsbench.testing.vulnerable.replacing import replace_part


def _open_whole(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def open_codec(file: Any, codec: str) -> Any:
        if codec != ".gz":
            return original(file, codec)
        whole = gzip.GzipFile(fileobj=file).read()
        file.seek(0)
        source = original(file, codec)
        # Held for as long as the file is read, as by whoever parses it as one text.
        source.whole = whole
        return source

    return open_codec


def _take(_original: object) -> Callable[..., None]:
    return lambda *_arguments: None


@hookimpl
def jivsbench_register_connectors() -> list[Connector]:
    """Offer nothing, and spoil how the files connector unpacks files and reads XML."""
    replace_part("jivsbench_files.streams:_open_codec", _open_whole)
    replace_part("jivsbench_files.xml_records:_Handler.refuse_doctype", _take)
    return []
