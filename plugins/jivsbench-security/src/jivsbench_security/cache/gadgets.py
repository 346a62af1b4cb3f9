"""Bytes that create a file when a careless reader turns them into objects. Nothing here ever reads them."""

import base64
import gzip
import io
import json
import marshal
import pickle
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

_HEADER_BYTES: Final = 44
"""About as much as the target's own entries have before their content; found again in any entry that is longer."""


@dataclass(frozen=True, slots=True)
class Gadget:
    """Bytes, and what they are, in a word or two."""

    name: str
    content: bytes


class _Opener:
    """What a pickle of this holds is a call: open the file for writing."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[object, ...]:
        return open, (self._path, "w")


def build_gadgets(marker: Path) -> tuple[Gadget, ...]:
    """One for each way of serialising that runs code on reading, several for pickle."""
    pickles = tuple(Gadget(f"pickle {number}", pickle.dumps(_Opener(marker), number)) for number in range(6))
    path = str(marker)
    code = marshal.dumps(compile(f"open({path!r}, 'w')", "entry", "exec"))
    reduce = {"py/reduce": [{"py/function": "io.open"}, {"py/tuple": [path, "w"]}]}
    return (
        *pickles,
        Gadget("marshal", code),
        Gadget("yaml apply", f'!!python/object/apply:io.open ["{path}", "w"]\n'.encode()),
        Gadget("yaml new", f'!!python/object/new:io.open ["{path}", "w"]\n'.encode()),
        Gadget("jsonpickle", json.dumps(reduce).encode()),
        Gadget("jsonpickle old", json.dumps({"py/object": "io.open", "py/newargs": [path, "w"]}).encode()),
        Gadget("python literal", f"__import__('io').open({path!r}, 'w')".encode()),
        Gadget("numpy", _dress_as_numpy(pickles[2].content)),
        Gadget("arrow extension", _dress_as_arrow(pickles[2].content)),
    )


def dress(gadget: Gadget, genuine: bytes) -> Iterator[Gadget]:
    """The gadget as it is, and in the clothes in which it may be read: a genuine entry's, an encoding's, a compression's."""
    ways: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("bare", lambda content: content),
        ("behind a genuine header", lambda content: genuine[:_HEADER_BYTES] + content),
        ("behind a genuine entry", lambda content: genuine + content),
        ("base64", base64.b64encode),
        ("zlib", zlib.compress),
        ("gzip", lambda content: gzip.compress(content, mtime=0)),
        ("JSON text", lambda content: json.dumps({"arrow": base64.b64encode(content).decode(), "server_types": []}).encode()),
    )
    for name, way in ways:
        yield Gadget(f"{gadget.name}, {name}", way(gadget.content))


def _dress_as_numpy(pickled: bytes) -> bytes:
    """The file format of an array of objects: a header, and a pickle."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickled


def _dress_as_arrow(pickled: bytes) -> bytes:
    """A schema whose column names the extension type that Arrow once unpickled (CVE-2023-47248)."""
    names = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": pickled}
    sink = io.BytesIO()
    sink.write(pa.schema([pa.field("c", pa.int64(), metadata=names)]).serialize().to_pybytes())
    return sink.getvalue()
