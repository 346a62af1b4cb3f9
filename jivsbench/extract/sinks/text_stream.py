"""What the formats of text share: files as one zstd frame or plain, and moments as text."""

import pyarrow as pa
import pyarrow.compute as pc

from jivsbench.errors import TypePolicyError

_ZSTD = "zstd"


def format_suffix(suffix: str, *, is_compressed: bool) -> str:
    """`.csv`, or `.csv.zst`, as the zstd program names it."""
    return f"{suffix}.zst" if is_compressed else suffix


def open_text(stream: pa.NativeFile, *, is_compressed: bool) -> pa.NativeFile:
    """What a text is written into; closing it closes `stream` too."""
    return pa.CompressedOutputStream(stream, _ZSTD) if is_compressed else stream


def read_text(path: str, *, is_compressed: bool) -> pa.NativeFile:
    """The bytes of a finished file. Reading on after a frame that was cut off raises OSError."""
    return pa.input_stream(path, compression=_ZSTD if is_compressed else None)


def check_moments(name: str, values: pa.Array) -> None:
    """Raise TypePolicyError for dates and times that have no text: Arrow would write `<value out of range: 2147483647>`."""
    if not (pa.types.is_date(values.type) or pa.types.is_time(values.type) or pa.types.is_timestamp(values.type)):
        return
    # Values without a text lie beyond all that have one.
    plain = values.cast(pa.timestamp(values.type.unit)) if pa.types.is_timestamp(values.type) else values
    for extreme in pc.min_max(plain).values():
        if (pc.cast(extreme, pa.string()).as_py() or "").startswith("<"):
            raise TypePolicyError(
                f"column {name!r} holds a value of type {values.type} that no text stands for, such as a year past 32767 or a "
                "time past a day: choose the format parquet or arrow, or leave the column out"
            )


def format_timestamps(values: pa.Array) -> pa.Array:
    """`2020-02-29 23:59:59.500000`, with a Z when the column has a time zone: all are in UTC."""
    # Arrow formats without a zone thirty times as fast; the instants themselves are UTC.
    texts = pc.cast(pc.cast(values, pa.timestamp(values.type.unit if values.type.unit == "ns" else "us")), pa.string())
    return pc.binary_join_element_wise(texts, "Z", "") if values.type.tz else texts
