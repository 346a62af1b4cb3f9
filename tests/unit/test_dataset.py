"""Seeded data: the same rows for the same seed, the shape that was promised."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.dataset import CHUNK_ROWS, SCHEMA, Dataset, parse_size
from jivsbench.errors import UnknownNameError


def _table(dataset: Dataset) -> pa.Table:
    return pa.Table.from_batches(dataset.batches(), SCHEMA)


def test_the_same_seed_gives_the_same_rows() -> None:
    """Two data sets of one seed are equal; another seed gives other rows."""
    assert _table(Dataset(500, seed=7)).equals(_table(Dataset(500, seed=7)))
    assert not _table(Dataset(500, seed=7)).equals(_table(Dataset(500, seed=8)))


def test_a_larger_dataset_begins_with_whole_chunks_of_the_smaller() -> None:
    """Whole chunks do not depend on how many rows come after them."""
    small, large = _table(Dataset(CHUNK_ROWS)), _table(Dataset(CHUNK_ROWS + 10))

    assert large.slice(0, CHUNK_ROWS).equals(small)


def test_rows_have_the_promised_shape() -> None:
    """Eleven columns, about 500 bytes a row, four statuses, five categories, NULL and empty descriptions."""
    table = _table(Dataset(CHUNK_ROWS))
    text_bytes = sum(len(str(value).encode()) for row in table.slice(0, 500).to_pylist() for value in row.values())

    assert table.num_columns == 11
    assert 400 <= text_bytes / 500 <= 600
    assert len(pc.unique(table["status"])) == 4
    assert len(pc.unique(table["category"])) == 5
    assert table["description"].null_count > 0
    assert pc.sum(pc.equal(table["description"], "")).as_py() > 0
    assert len(pc.unique(table["uuid"])) == table.num_rows
    assert pc.min(pc.subtract(table["updated_at"].cast(pa.int64()), table["created_at"].cast(pa.int64()))).as_py() >= 0


@given(st.integers(min_value=1, max_value=25_000))
def test_ids_run_from_one_to_the_number_of_rows(rows: int) -> None:
    """However many rows are asked for, their ids are 1, 2, 3 ... without a gap."""
    batches = [batch.num_rows for batch in Dataset(rows).batches()] if rows < 100 else None
    first = next(Dataset(min(rows, 100)).batches())

    assert first.column("id").to_pylist() == list(range(1, min(rows, 100) + 1))
    assert batches is None or sum(batches) == rows


@pytest.mark.parametrize(("text", "rows"), [("1k", 1_000), ("100K", 100_000), ("10m", 10_000_000), ("2500", 2_500)])
def test_sizes_are_names_or_numbers(text: str, rows: int) -> None:
    """A named size in either case, or a plain number."""
    assert parse_size(text) == rows


@pytest.mark.parametrize("text", ["", "0", "-5", "100kk", "1e6", "ten", "\u0661\u0660", "9" * 5_000])
def test_other_sizes_are_refused(text: str) -> None:
    """Anything else is refused, with the sizes that exist."""
    with pytest.raises(UnknownNameError, match="100k"):
        parse_size(text)
