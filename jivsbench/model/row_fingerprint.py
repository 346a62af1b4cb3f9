"""A fingerprint of every row, in one canonical text that a server's SQL and what lies on disk can both be brought to.

The text of a row has a head and a tail. The head has a comma after each column and before it, for a column of texts or bytes,
the length of the value in bytes, for any other the value, for NULL nothing. The tail is the texts, one after the other: cut by
their lengths, so that ("a", "bc") is not ("ab", "c"). Values are written as PostgreSQL does in UTC: `-12`, `t` or `f`, decimals
with all of their scale, `2020-02-29 23:59:59.5+00` without zeros at its end and with `+00` only for a moment with a zone. Bytes
and floats are lower-case hexadecimal, floats of their big-endian IEEE bits, but `NaN` whichever bits it has.
"""

import binascii
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import ExtractionError

_PIECE_ROWS = 8192
_PIECE_BYTES = 4 << 20
_LOW_BITS = 32


@dataclass(frozen=True, slots=True)
class RowFingerprint:
    """Rows, and the sum of their hashes: the first eight bytes of each row's MD5 as a signed big-endian number.

    A sum does not depend on the order of the rows, and unlike XOR it does not lose a row that comes twice.
    """

    row_count: int
    hash_total: int

    def join(self, other: "RowFingerprint") -> "RowFingerprint":
        """Of both rows together."""
        return RowFingerprint(self.row_count + other.row_count, self.hash_total + other.hash_total)


def fingerprint_rows(batch: pa.RecordBatch) -> RowFingerprint:
    """The fingerprint of a batch. Raises ExtractionError naming a column whose type has no canonical text."""
    return join_row_fingerprints(hash_texts(write_rows(piece).to_pylist()) for piece in _cut(batch))


def join_row_fingerprints(parts: Iterable[RowFingerprint]) -> RowFingerprint:
    """Of all parts together."""
    whole = RowFingerprint(0, 0)
    for part in parts:
        whole = whole.join(part)
    return whole


def hash_texts(texts: list[bytes]) -> RowFingerprint:
    """The fingerprint of rows whose canonical texts are at hand."""
    digests = b"".join([hashlib.md5(text, usedforsecurity=False).digest() for text in texts])
    hashes = np.frombuffer(digests, ">i8")[::2].astype(np.int64)
    high, low = hashes >> _LOW_BITS, hashes & ((1 << _LOW_BITS) - 1)
    return RowFingerprint(len(texts), (int(high.sum()) << _LOW_BITS) + int(low.sum()))


def write_rows(batch: pa.RecordBatch) -> pa.BinaryArray:
    """The canonical text of each row."""
    head: list[pa.Array] = []
    tail: list[pa.Array] = []
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        texts = _to_texts(name, values)
        if is_counted(values.type):
            head.append(pc.cast(pc.binary_length(texts), pa.string()))
            tail.append(texts)
        else:
            head.append(texts)
    ends = pa.repeat(pa.scalar(""), batch.num_rows)
    written = _join([_join([*head, ends], ","), *tail], "")
    return pc.cast(written, pa.binary())


def is_counted(arrow_type: pa.DataType) -> bool:
    """True for a type whose values stand in the tail, because any character may be in them."""
    return bool(
        pa.types.is_string(arrow_type)
        or pa.types.is_large_string(arrow_type)
        or pa.types.is_binary(arrow_type)
        or pa.types.is_large_binary(arrow_type)
    )


def _cut(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Pieces of which the texts take a few mebibytes, however long the rows are."""
    rows = batch.num_rows
    size = max(1, min(_PIECE_ROWS, rows * _PIECE_BYTES // max(1, batch.nbytes)))
    return (batch.slice(start, size) for start in range(0, rows, size))


def _join(texts: list[pa.Array], separator: str) -> pa.Array:
    return pc.binary_join_element_wise(*texts, separator, null_handling="replace", null_replacement="")


def _to_texts(name: str, values: pa.Array) -> pa.Array:
    kind = values.type
    if pa.types.is_integer(kind):
        return pc.cast(values, pa.string())
    if is_counted(kind):
        return pc.cast(values, pa.string()) if _is_text(kind) else _write_bytes(values)
    if pa.types.is_boolean(kind):
        return pc.if_else(values, "t", "f")
    if pa.types.is_floating(kind):
        return _write_floats(values)
    if pa.types.is_decimal(kind):
        return _write_decimals(values)
    if pa.types.is_date(kind):
        return pc.cast(pc.cast(values, pa.date32()), pa.string())
    if pa.types.is_time(kind) or pa.types.is_timestamp(kind):
        return _write_times(values)
    raise ExtractionError(f"column {name!r} of Arrow type {kind} has no text to hash: verify by columns, or leave it out")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _write_bytes(values: pa.Array) -> pa.Array:
    values = pc.cast(values, pa.binary())
    _validity, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    digits = binascii.hexlify(memoryview(data)[ends[0] : ends[-1]] if data is not None else b"")
    return _attach(values, digits, (ends - ends[0]) * 2)


def _write_floats(values: pa.Array) -> pa.Array:
    width = values.type.bit_width // 8
    numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
    digits = binascii.hexlify(numbers.astype(numbers.dtype.newbyteorder(">")).tobytes())
    texts = _attach(values, digits, np.arange(len(values) + 1, dtype=np.int32) * (2 * width))
    return pc.if_else(pc.is_nan(values), "NaN", texts)


def _attach(values: pa.Array, digits: bytes, ends: np.ndarray) -> pa.Array:
    """Texts cut out of `digits`, NULL where `values` are."""
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(digits)]
    return pc.if_else(pc.is_valid(values), pa.Array.from_buffers(pa.string(), len(values), buffers), None)


def _write_decimals(values: pa.Array) -> pa.Array:
    """Arrow's own text goes over to exponents for small numbers, so the whole digits are written and the point put in."""
    scale = values.type.scale
    is_wide = pa.types.is_decimal256(values.type)
    unscaled = pa.decimal256(76, 0) if is_wide else pa.decimal128(38, 0)
    stored = pc.cast(values, pa.decimal256(76, scale) if is_wide else pa.decimal128(38, scale))
    texts = pc.cast(pa.Array.from_buffers(unscaled, len(stored), stored.buffers(), stored.null_count, stored.offset), pa.string())
    if scale <= 0:
        # A negative scale leaves zeros out.
        return pc.if_else(pc.equal(texts, "0"), texts, _join_known(texts, "0" * -scale))
    digits = pc.utf8_lpad(pc.utf8_ltrim(texts, "-"), scale + 1, "0")
    sign = pc.if_else(pc.starts_with(texts, "-"), "-", "")
    return _join_known(sign, pc.utf8_slice_codeunits(digits, 0, -scale), ".", pc.utf8_slice_codeunits(digits, -scale))


def _join_known(*texts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*texts, "")


def _write_times(values: pa.Array) -> pa.Array:
    """Without zeros, and without a point, at the end of the fraction."""
    if pa.types.is_time(values.type):
        zone, texts = "", pc.cast(pc.cast(values, pa.time64("us")), pa.string())
    else:
        zone = "+00" if values.type.tz else ""
        moments = pc.cast(values, pa.timestamp("us", values.type.tz))
        # By way of the number: a moment with a zone is written in UTC.
        texts = pc.cast(pc.cast(pc.cast(moments, pa.int64()), pa.timestamp("us")), pa.string())
    trimmed = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")
    return _join_known(trimmed, zone) if zone else trimmed
