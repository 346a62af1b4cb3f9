"""The headers of Parquet's pages, read before Arrow sees them: they say how much it will allocate, and nothing checks them.

Only as much of Thrift's compact protocol as a page header needs: its second and third field are the sizes.
"""

from typing import Final

import pyarrow.parquet as pq

from jivsbench.errors import ExtractionError
from jivsbench_files.limits import refuse_excess
from jivsbench_files.tables import OpenedFile

_MAX_HEADER_BYTES: Final = 1 << 20
_FIRST_READ_BYTES: Final = 512
_UNPACKED_FIELD: Final = 2
_PACKED_FIELD: Final = 3
_MAX_VARINT_BITS: Final = 63
_MAX_DEPTH: Final = 8
_DICTIONARIES: Final = frozenset(("RLE_DICTIONARY", "PLAIN_DICTIONARY"))
_SHARED_PREFIXES: Final = "DELTA_BYTE_ARRAY"


def check_pages(opened: OpenedFile, metadata: pq.FileMetaData, groups: list[int], names: list[str]) -> int | None:
    """Look at every page of the columns. Raises ExtractionError for one above the limit.

    Returns the size of the largest page whose values may share prefixes, so that each can be as large as the page;
    None without such pages.
    """
    wanted, prefixed = set(names), None
    for group in groups:
        row_group = metadata.row_group(group)
        for number in range(row_group.num_columns):
            chunk = row_group.column(number)
            if chunk.path_in_schema in wanted:
                opened.watch()
                largest = _check_chunk(opened, chunk)
                if _SHARED_PREFIXES in chunk.encodings:
                    prefixed = max(prefixed or 1, largest)
    return prefixed


def is_dictionary(metadata: pq.FileMetaData, groups: list[int], name: str) -> bool:
    """True when a column has dictionaries in these row groups."""
    row_groups = [metadata.row_group(group) for group in groups]
    return any(
        row_group.column(number).path_in_schema == name and not _DICTIONARIES.isdisjoint(row_group.column(number).encodings)
        for row_group in row_groups
        for number in range(row_group.num_columns)
    )


def _check_chunk(opened: OpenedFile, chunk: pq.ColumnChunkMetaData) -> int:
    first = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset is not None and 0 < chunk.dictionary_page_offset < first:
        first = chunk.dictionary_page_offset
    offset, end, largest = first, first + chunk.total_compressed_size, 0
    if not 0 < offset <= end <= opened.version.size_bytes:
        raise _refuse(opened)
    while offset < end:
        header_bytes, packed, unpacked = _read_header(opened, offset)
        if unpacked > opened.limits.max_page_bytes:
            where = f"{opened.name!r}, column {chunk.path_in_schema!r}"
            raise refuse_excess(where, "max_page_bytes", opened.limits.max_page_bytes, f"a page unpacks to {unpacked:,} bytes")
        largest = max(largest, unpacked)
        offset += header_bytes + packed
    return largest


def _read_header(opened: OpenedFile, offset: int) -> tuple[int, int, int]:
    """Length of the header, and the page's packed and unpacked size."""
    size = _FIRST_READ_BYTES
    while True:
        opened.raw.seek(offset)
        reader = _Thrift(opened.raw.read(size) or b"")
        try:
            fields = reader.read_struct(0)
        except IndexError:
            # Statistics in a header can be long.
            if size >= _MAX_HEADER_BYTES or offset + size >= opened.version.size_bytes:
                raise _refuse(opened) from None
            size *= 8
            continue
        except ValueError:
            raise _refuse(opened) from None
        unpacked, packed = fields.get(_UNPACKED_FIELD, -1), fields.get(_PACKED_FIELD, -1)
        if unpacked < 0 or packed < 0:
            raise _refuse(opened)
        return reader.at, packed, unpacked


def _refuse(opened: OpenedFile) -> ExtractionError:
    return ExtractionError(f"{opened.name!r} is no whole Parquet file: a page is not where its footer says; make it anew")


class _Thrift:
    """Reads a struct in Thrift's compact protocol. IndexError: it goes on after the bytes given. ValueError: it is none."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def read_struct(self, depth: int) -> dict[int, int]:
        """The integers among its fields, by number."""
        if depth > _MAX_DEPTH:
            raise ValueError
        found, number = {}, 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._integer()
            value = self._value(kind & 0xF, depth)
            if value is not None:
                found[number] = value
        return found

    def _value(self, kind: int, depth: int) -> int | None:
        match kind:
            case 1 | 2:
                return None
            case 3:
                self._byte()
            case 4 | 5 | 6:
                return self._integer()
            case 7:
                self._skip(8)
            case 8:
                self._skip(self._varint())
            case 12:
                self.read_struct(depth + 1)
            case _:
                # Page headers have neither lists nor maps.
                raise ValueError
        return None

    def _byte(self) -> int:
        value = self._content[self.at]
        self.at += 1
        return value

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._content):
            raise IndexError

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the bit that says that another byte follows
                return value
            shift += 7
            if shift > _MAX_VARINT_BITS:
                raise ValueError

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
