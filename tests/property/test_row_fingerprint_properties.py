"""Fingerprints of rows: of the documented text, independent of order and of how the rows are cut."""

import datetime as dt
import hashlib
import math
import struct
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.errors import ExtractionError
from jivsbench.model.row_fingerprint import RowFingerprint, fingerprint_rows, join_row_fingerprints, write_rows


def trim(text: str) -> str:
    """Without zeros at the end of a fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Every decimal of so many digits."""
    return st.integers(1 - 10**digits, 10**digits - 1).map(lambda whole: Decimal(f"{whole}E-{scale}"))


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=5)
KINDS = {
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1), str),
    "bool": (pa.bool_(), st.booleans(), lambda value: "t" if value else "f"),
    "float64": (pa.float64(), st.floats(), lambda value: "NaN" if math.isnan(value) else struct.pack(">d", value).hex()),
    "float32": (pa.float32(), st.floats(width=32), lambda value: "NaN" if math.isnan(value) else struct.pack(">f", value).hex()),
    "decimal": (pa.decimal128(12, 2), decimals(12, 2), lambda value: f"{value:.2f}"),
    "whole decimal": (pa.decimal128(38, 0), decimals(38, 0), lambda value: f"{value:f}"),
    "small decimal": (pa.decimal128(38, 38), decimals(38, 38), lambda value: f"{value:.38f}"),
    "wide decimal": (pa.decimal256(60, 7), decimals(60, 7), lambda value: f"{value:.7f}"),
    "date": (pa.date32(), st.dates(), dt.date.isoformat),
    "time": (pa.time64("us"), st.times(), lambda value: trim(value.isoformat())),
    "timestamp": (pa.timestamp("us"), st.datetimes(), lambda value: trim(value.isoformat(" "))),
    "moment": (
        pa.timestamp("us", "Europe/Paris"),
        st.datetimes(timezones=st.just(dt.UTC)),
        lambda value: trim(value.replace(tzinfo=None).isoformat(" ")) + "+00",
    ),
    "text": (pa.string(), TEXTS, str),
    "bytes": (pa.binary(), st.binary(max_size=5), bytes.hex),
    "long text": (pa.large_string(), TEXTS, str),
}
COUNTED = ("text", "bytes", "long text")


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_the_text_is_the_documented_one(kind: str, data: st.DataObject) -> None:
    """Written by Python value for value, in a slice too."""
    arrow_type, values, to_text = KINDS[kind]
    column = data.draw(st.lists(st.none() | values, max_size=10))
    skipped = data.draw(st.integers(0, 3))

    found = write_rows(pa.record_batch({"c": pa.array(column, arrow_type)}).slice(skipped))

    expected = []
    for value in column[skipped:]:
        text = None if value is None else to_text(value)
        if kind in COUNTED:
            expected.append(b"," if text is None else f"{len(text.encode())},{text}".encode())
        else:
            expected.append(f"{text or ''},".encode())
    assert found.to_pylist() == expected


@given(texts=st.lists(st.tuples(st.none() | TEXTS, st.none() | TEXTS), max_size=20), cut=st.integers(0, 20), order=st.randoms())
def test_parts_join_to_the_whole_in_any_order(texts: list[tuple[str | None, ...]], cut: int, order: object) -> None:
    """Row groups, batches and shuffled rows change nothing; the sum is the one that the digests give."""
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    batch = pa.RecordBatch.from_pylist([{"a": a, "b": b} for a, b in texts], schema)
    order.shuffle(texts)  # type: ignore[attr-defined]
    shuffled = pa.RecordBatch.from_pylist([{"a": a, "b": b} for a, b in texts], schema)

    digests = [hashlib.md5(text, usedforsecurity=False).digest() for text in write_rows(batch).to_pylist()]
    expected = RowFingerprint(len(texts), sum(int.from_bytes(digest[:8], "big", signed=True) for digest in digests))
    assert fingerprint_rows(batch) == expected
    assert join_row_fingerprints(fingerprint_rows(part) for part in (shuffled.slice(cut), shuffled.slice(0, cut))) == expected


@given(one=st.tuples(st.none() | TEXTS, st.none() | TEXTS), other=st.tuples(st.none() | TEXTS, st.none() | TEXTS))
def test_different_rows_have_different_texts(one: tuple[str | None, ...], other: tuple[str | None, ...]) -> None:
    """Wherever one value ends and the next begins."""
    rows = pa.table([[one[0], other[0]], [one[1], other[1]]], pa.schema([("a", pa.string()), ("b", pa.string())]))
    first, second = write_rows(rows.to_batches()[0]).to_pylist()

    assert (first == second) == (one == other)


def test_a_type_without_a_text_is_refused() -> None:
    """Nothing is called compared that was not."""
    with pytest.raises(ExtractionError, match=r"'c' of Arrow type list.*verify by columns"):
        fingerprint_rows(pa.record_batch({"c": pa.array([[1]])}))
