"""Figures of columns: exact, independent of order and of how the rows are cut."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.model.fingerprint import ColumnFingerprint, fingerprint_column, join_fingerprints

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
INT64 = st.integers(-(2**63), 2**63 - 1)
KINDS = {
    "int64": (pa.int64(), INT64, int),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1), int),
    "int16": (pa.int16(), st.integers(-(2**15), 2**15 - 1), int),
    "bool": (pa.bool_(), st.booleans(), int),
    "decimal": (pa.decimal128(12, 2), st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: Decimal(n).scaleb(-2)), None),
    "wide decimal": (pa.decimal128(38, 3), st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: Decimal(f"{n}E-3")), None),
    "date": (pa.date32(), st.dates(), lambda day: (day - EPOCH.date()).days),
    "timestamp": (
        pa.timestamp("us", "UTC"),
        st.datetimes(timezones=st.just(dt.UTC)),
        lambda at: (at - EPOCH) // dt.timedelta(microseconds=1),
    ),
    "text": (pa.string(), st.text(st.characters(exclude_categories=("Cs",)), max_size=5), lambda text: len(text.encode())),
    "bytes": (pa.binary(), st.binary(max_size=5), len),
}


def unscaled(value: Decimal) -> int:
    """The digits of a decimal as a whole number."""
    sign, digits, _exponent = value.as_tuple()
    whole = int("".join(map(str, digits)))
    return -whole if sign else whole


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_figures_are_exact(kind: str, data: st.DataObject) -> None:
    """The same as Python's own whole numbers give, where 64 bits overflow too."""
    arrow_type, values, to_whole = KINDS[kind]
    rows = data.draw(st.lists(st.none() | values, max_size=30))

    found = fingerprint_column("c", pa.array(rows, arrow_type))

    known = [(to_whole or unscaled)(row) for row in rows if row is not None]
    assert found.null_count == rows.count(None)
    assert (found.total, found.least, found.greatest) == ((sum(known), min(known), max(known)) if known else (None,) * 3)


@given(rows=st.lists(st.none() | INT64, min_size=1, max_size=40), cut=st.integers(0, 40), order=st.randoms())
def test_parts_join_to_the_whole_in_any_order(rows: list[int | None], cut: int, order: object) -> None:
    """Row groups and shuffled rows change nothing."""
    whole = fingerprint_column("c", pa.array(rows, pa.int64()))
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    parts = [(fingerprint_column("c", pa.array(part, pa.int64())),) for part in (shuffled[:cut], shuffled[cut:])]

    assert join_fingerprints(parts) == (whole,)


def test_floats_have_no_exact_sum() -> None:
    """Only their NULLs are counted."""
    found = fingerprint_column("c", pa.array([1.5, None, float("nan")], pa.float64()))

    assert found == ColumnFingerprint("c", 1, None, None, None)
