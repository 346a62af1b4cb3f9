"""Transforms: planned against the schema, exact or an error, counted; and what they mean for verification."""

import datetime as dt
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.errors import ExtractionError, TypePolicyError, UnknownNameError, UsageError, VerificationError
from jivsbench.extract.extractor import Extractor
from jivsbench.extract.manifest import parse_manifest
from jivsbench.extract.transforms import plan_transforms
from jivsbench.model.fingerprint import ColumnFingerprint, fingerprint_column
from jivsbench.model.profile import LEGACY, OPTIMIZED, Profile, Verification
from jivsbench.model.secret import Secret
from jivsbench.model.table import Column, Filter, Operator, Partition, TableSchema
from jivsbench.model.transform import Cast, DropColumns, KeepColumns, KeepRows, Mask, Masking, Rename, Transform
from tests.unit.extract_fakes import REQUEST, FakeConnection, FakeConnector, FakeServer, build_profile, build_source

KEY = Secret("a key of many characters")
COLUMNS = {
    "id": pa.int64(),
    "email": pa.string(),
    "amount": pa.decimal128(10, 2),
    "score": pa.float64(),
    "at": pa.timestamp("us", "UTC"),
    "raw": pa.binary(),
}
SCHEMA = TableSchema(tuple(Column(name, "server", kind, is_nullable=True) for name, kind in COLUMNS.items()))
NOON = dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)
ROWS = pa.record_batch(
    [
        pa.array([1, 2, None], pa.int64()),
        pa.array(["ann@example.com", "ann@example.com", None]),
        pa.array([Decimal("1.50"), Decimal("-2.00"), None], pa.decimal128(10, 2)),
        pa.array([0.5, float("nan"), None]),
        pa.array([NOON, NOON, None], pa.timestamp("us", "UTC")),
        pa.array([b"\xff", b"", None]),
    ],
    schema=SCHEMA.to_arrow(),
)


def apply(*transforms: Transform, rows: pa.RecordBatch = ROWS) -> pa.RecordBatch:
    """Plan and apply."""
    plan = plan_transforms(transforms, SCHEMA, KEY)
    return plan.apply(rows, SCHEMA.to_arrow(), plan.schema.to_arrow())


def test_columns_are_chosen_renamed_and_dropped_in_the_order_written():
    """Each transform sees what the one before it leaves; names are those at that point."""
    found = apply(KeepColumns(("score", "email", "id")), Rename("email", "contact"), DropColumns(("score",)))

    assert found.schema.names == ["contact", "id"]
    assert found["id"].to_pylist() == [1, 2, None]


def test_without_transforms_a_batch_passes_as_it_is():
    """Not even a copy is made."""
    plan = plan_transforms((), SCHEMA, None)

    assert plan.apply(ROWS, SCHEMA.to_arrow(), SCHEMA.to_arrow()) is ROWS
    assert plan.schema == SCHEMA


@pytest.mark.parametrize(
    ("transforms", "error", "message"),
    [
        ([DropColumns(("emial",))], UnknownNameError, "no column is called 'emial': did you mean 'email'"),
        ([Rename("email", "mail"), Mask("email", Masking.REDACT)], UnknownNameError, "did you mean 'mail'"),
        ([Rename("email", "id")], UsageError, "one of that name already"),
        ([KeepColumns(("id", "id"))], UsageError, "keep a column twice"),
        ([DropColumns(tuple(COLUMNS))], UsageError, "leave no column"),
        ([Cast("id", "int46")], UnknownNameError, "no type is called 'int46': did you mean 'int64'"),
        ([Cast("id", "decimal(39,2)")], UnknownNameError, "no type is called"),
        ([Cast("email", "float64")], UsageError, r"a text has no exact float64: cast it to decimal\(p,s\)"),
        ([Cast("at", "bool")], UsageError, "cannot be cast to bool and back"),
        ([Cast("raw", "int64")], UsageError, "column 'raw' is of type binary and cannot be cast"),
        ([Mask("raw", Masking.LAST)], UsageError, "column 'raw' is of type binary, which cannot be masked by 'last'"),
        ([Mask("email", Masking.LAST, 0)], UsageError, "keeps 0 characters"),
        ([KeepRows(Filter("id", Operator.EQUAL, ("one",)))], UsageError, "the filter on column 'id' cannot compare int64 by '='"),
        ([KeepRows(Filter("id", Operator.EQUAL, (1.5,)))], UsageError, "cannot compare int64"),
        ([KeepRows(Filter("amount", Operator.EQUAL, (1.555,)))], UsageError, "cannot compare decimal"),
        ([KeepRows(Filter("id", Operator.LIKE, ("1%",)))], UsageError, "by 'like'"),
        ([KeepRows(Filter("id", Operator.IN, (10**30,)))], UsageError, "by 'in'"),
    ],
)
def test_mistakes_are_found_when_the_plan_is_made(transforms: list[Transform], error: type[Exception], message: str):
    """With the column named, the nearest name where there is one, and no value."""
    with pytest.raises(error, match=message) as caught:
        plan_transforms(tuple(transforms), SCHEMA, KEY)
    assert not any(text in str(caught.value) for text in ("one'", "1.555", str(10**30)))


@pytest.mark.parametrize("key", [None, Secret("too short")])
def test_a_digest_needs_a_key(key: Secret | None):
    """A digest without one could be looked up in a table of all e-mail addresses."""
    with pytest.raises(UsageError, match=r"needs a key of 16 characters or more: set \[masking\] key_file") as caught:
        plan_transforms((Mask("email", Masking.DIGEST),), SCHEMA, key)
    assert "too short" not in str(caught.value)


@pytest.mark.parametrize(("column", "text"), [("email", b"ann@example.com"), ("id", b"1"), ("amount", b"1.50"), ("raw", b"\xff")])
def test_a_digest_is_the_hmac_of_the_values_text(column: str, text: bytes):
    """Anyone who holds the key can compute it again; NULL stays NULL."""
    found = apply(Mask(column, Masking.DIGEST))[column].to_pylist()

    assert found[0] == hmac.new(KEY.reveal().encode(), text, hashlib.sha256).hexdigest()
    assert found[2] is None


@given(st.lists(st.none() | st.text(max_size=12), max_size=9), st.integers(1, 6))
def test_last_hides_all_but_the_last_characters(texts: list[str | None], keep: int):
    """By characters, not bytes; a text that is no longer than what may stay is hidden whole."""
    schema = TableSchema((Column("text", "text", pa.string(), is_nullable=True),))
    plan = plan_transforms((Mask("text", Masking.LAST, keep),), schema, None)
    rows = pa.record_batch([pa.array(texts, pa.string())], schema=schema.to_arrow())
    found = plan.apply(rows, schema.to_arrow(), plan.schema.to_arrow())["text"].to_pylist()

    for before, after in zip(texts, found, strict=True):
        if before is None:
            assert after is None
        elif len(before) <= keep:
            assert after == "*" * len(before)
        else:
            assert after == "*" * (len(before) - keep) + before[-keep:]


def test_redacted_values_are_all_the_same():
    """Whatever the type was, text comes out, and NULL stays NULL."""
    assert apply(Mask("amount", Masking.REDACT))["amount"].to_pylist() == ["***", "***", None]


@pytest.mark.parametrize(
    ("column", "to", "expected"),
    [
        ("id", "int8", [1, 2, None]),
        ("id", "string", ["1", "2", None]),
        ("id", "decimal(5,2)", [Decimal("1.00"), Decimal("2.00"), None]),
        ("amount", "float64", [1.5, -2.0, None]),
        ("amount", "decimal(5,1)", [Decimal("1.5"), Decimal("-2.0"), None]),
        ("at", "timestamp", [NOON.replace(tzinfo=None), NOON.replace(tzinfo=None), None]),
    ],
)
def test_casts_that_lose_nothing_are_made(column: str, to: str, expected: list[object]):
    """Value for value; NULL stays NULL."""
    assert apply(Cast(column, to))[column].to_pylist() == expected


@pytest.mark.parametrize(
    ("text", "to", "expected"),
    [
        ("0", "int32", 0),
        ("-2147483648", "int32", -(2**31)),
        ("9223372036854775807", "int64", 2**63 - 1),
        ("0.5", "decimal(5,2)", Decimal("0.50")),
        ("-12", "decimal(5,2)", Decimal("-12.00")),
        ("9" * 38, "decimal(38,0)", Decimal("9" * 38)),
        ("true", "bool", True),
        ("FALSE", "bool", False),
        ("2024-01-01", "date", dt.date(2024, 1, 1)),
    ],
)
def test_a_plainly_spelt_text_is_cast(text: str, to: str, expected: object):
    """What says nothing that the value does not say."""
    schema, rows = column_of(pa.string(), None, text)
    plan = plan_transforms((Cast("value", to),), schema, None)

    assert plan.apply(rows, schema.to_arrow(), plan.schema.to_arrow())["value"].to_pylist() == [None, expected]


def column_of(arrow_type: pa.DataType, *values: object) -> tuple[TableSchema, pa.RecordBatch]:
    """A table of one column."""
    schema = TableSchema((Column("value", "server", arrow_type, is_nullable=True),))
    return schema, pa.record_batch([pa.array(values, arrow_type)], schema=schema.to_arrow())


@pytest.mark.parametrize(
    ("arrow_type", "value", "to"),
    [
        (pa.int64(), 300, "int8"),
        (pa.int64(), 1000, "decimal(5,2)"),
        (pa.int64(), 2**53 + 1, "float64"),
        (pa.float64(), 1.5, "int64"),
        (pa.float64(), 0.1, "float32"),
        (pa.float64(), 1e300, "float32"),
        (pa.float64(), 0.125, "decimal(10,2)"),
        (pa.decimal128(20, 2), Decimal("0.01"), "int64"),
        (pa.decimal128(38, 2), Decimal("123456789012345678901234567890.12"), "float64"),
        (pa.decimal128(10, 3), Decimal("1.001"), "decimal(10,2)"),
        (pa.decimal128(10, 3), Decimal("1000000.000"), "decimal(5,2)"),
        (pa.timestamp("us"), dt.datetime(2024, 1, 1, 12), "date"),  # noqa: DTZ001 - a timestamp without a zone
        (pa.string(), "1.5", "int64"),
        (pa.string(), "1.005", "decimal(5,2)"),
        (pa.string(), "2024-01-01 00:00:00.0000001", "timestamp"),
        (pa.string(), "yesterday", "date"),
        *((pa.string(), text, "int32") for text in ("007", "0x1A", "+7", " 7", "7 ", "7\n", "1_000", "\u0667", "1e3", "7.0")),
        *((pa.string(), text, "decimal(5,2)") for text in ("007", "+7", " 7", ".5", "5.", "1e1", "0x1", "1_0", "\u0667")),
        *((pa.string(), text, "bool") for text in ("1", "0", "yes", "tRUE", " true")),
        (pa.string(), "99999999999", "int32"),
        (pa.string(), "9999999999999999999", "int64"),
        (pa.int64(), 2, "bool"),
    ],
)
def test_casts_that_lose_are_errors_that_name_the_column(arrow_type: pa.DataType, value: object, to: str):
    """Never a rounded, cut or wrapped value; the message shows none either. NULL beside it does not hide it."""
    schema, rows = column_of(arrow_type, None, value)
    plan = plan_transforms((Cast("value", to),), schema, None)

    with pytest.raises(TypePolicyError, match=r"column 'value' holds a value of type .* cannot hold exactly") as caught:
        plan.apply(rows, schema.to_arrow(), plan.schema.to_arrow())
    assert str(value) not in str(caught.value).replace(to, "")


@given(st.lists(st.floats(), max_size=5))
def test_a_cast_to_single_floats_is_exact_or_an_error(values: list[float]):
    """NaN and the infinities are exact too."""
    schema, rows = column_of(pa.float64(), *values)
    plan = plan_transforms((Cast("value", "float32"),), schema, None)
    try:
        found = plan.apply(rows, schema.to_arrow(), plan.schema.to_arrow())["value"].to_pylist()
    except TypePolicyError:
        return
    assert [repr(value) for value in found] == [repr(value) for value in values]


@pytest.mark.parametrize(
    ("column", "operator", "values", "kept"),
    [
        ("id", Operator.EQUAL, (2,), [2]),
        ("id", Operator.NOT_EQUAL, (2,), [1]),
        ("id", Operator.LESS, ("2",), [1]),
        ("id", Operator.IN, (2, 7), [2]),
        ("amount", Operator.GREATER_OR_EQUAL, (1.5,), [1]),
        ("amount", Operator.LESS_OR_EQUAL, ("-2",), [2]),
        ("at", Operator.GREATER, ("2024-02-29 11:59:59Z",), [1, 2]),
        ("email", Operator.LIKE, ("ann@%",), [1, 2]),
        ("email", Operator.IS_NULL, (), [None]),
        ("email", Operator.IS_NOT_NULL, (), [1, 2]),
    ],
)
def test_rows_are_kept_as_sql_would(column: str, operator: Operator, values: tuple[str | float, ...], kept: list[int | None]):
    """Compared in the column's type; a condition that is NULL keeps no row."""
    assert apply(KeepRows(Filter(column, operator, values)))["id"].to_pylist() == kept


def test_a_batch_of_another_schema_is_not_transformed():
    """A mask would hit the wrong column."""
    swapped = ROWS.select(["email", "id", "amount", "score", "at", "raw"])

    with pytest.raises(ExtractionError, match="another schema than it declared"):
        apply(Mask("email", Masking.REDACT), rows=swapped)


class FiguresConnection(FakeConnection):
    """A session whose server also has figures of columns."""

    shifted: str | None = None
    """A column whose least value the server has otherwise."""

    def fingerprint_columns(self, partition: Partition) -> tuple[ColumnFingerprint, ...]:
        table = pa.Table.from_batches(self.read(partition))
        figures = (fingerprint_column(name, table[name]) for name in table.schema.names)
        return tuple(replace(f, least=(f.least or 0) - 1) if f.name == self.shifted else f for f in figures)


class WrongNames(FiguresConnection):
    """One that is wrong about the names."""

    shifted = "name"


Build = Callable[..., Extractor]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds extractors over a fake source, and closes them."""
    built: list[Extractor] = []

    def make(profile: Profile = OPTIMIZED, server: FakeServer | None = None, session: type = FiguresConnection) -> Extractor:
        connector = FakeConnector(server or FakeServer(), session)
        built.append(
            Extractor(
                connectors={"fake": connector}, guards=(), profile=build_profile(profile), output_dir=tmp_path, mask_key=KEY
            )
        )
        return built[-1]

    yield make
    for extractor in built:
        extractor.close(0.5)


@pytest.mark.parametrize("profile", [LEGACY, OPTIMIZED])
def test_filtered_rows_are_counted_beside_those_written(build: Build, tmp_path: Path, profile: Profile):
    """Read as many as the source has; written those that were not filtered; each number in result and manifest."""
    request = replace(REQUEST, transforms=(KeepRows(Filter("id", Operator.LESS, (30,))), Mask("name", Masking.LAST, 1)))
    result = build(profile, FakeServer(split_into=2)).extract("job", build_source(), request)
    manifest = parse_manifest((tmp_path / "job" / "manifest.json").read_bytes())

    assert (result.rows_in_source, result.rows_read, result.rows_filtered, result.rows_written) == (100, 100, 70, 30)
    assert sum(part.rows_filtered for part in manifest.partitions) == 70
    assert manifest.row_count == 30
    assert manifest.transforms == ("filter id <", "mask name: all but the last 1 characters")
    assert manifest.changed_columns == result.changed_columns == ("name",)
    files = [pq.read_table(tmp_path / "job" / file.name) for file in result.files]
    assert sorted(i for table in files for i in table["id"].to_pylist()) == list(range(30))


def test_a_lost_row_is_not_taken_for_a_filtered_one(build: Build):
    """The server counts before any transform does."""
    request = replace(REQUEST, transforms=(KeepRows(Filter("id", Operator.LESS, (30,))),))

    with pytest.raises(VerificationError, match="the source has 100 rows, 90 were read, 60 filtered and 30 lie on disk"):
        build(OPTIMIZED, FakeServer(lost_batches=1)).extract("job", build_source(), request)


def test_a_mistake_costs_no_connection(build: Build):
    """It is found between schema and rows, so the connection is as good as before."""
    server = FakeServer()
    extractor = build(OPTIMIZED, server)
    for _ in range(3):
        with pytest.raises(UnknownNameError, match="no column is called 'nmae': did you mean 'name'"):
            extractor.extract("job", build_source(), replace(REQUEST, transforms=(DropColumns(("nmae",)),)))

    assert server.attempts == 1
    assert extractor.extract("job", build_source(), REQUEST).rows_written == 100


BY_COLUMNS = replace(OPTIMIZED, verification=Verification.COLUMNS)


def test_columns_that_no_transform_changed_are_verified(build: Build):
    """A renamed one still is, wherever it stands; a masked one is passed over, and the manifest names it."""
    renamed = replace(REQUEST, transforms=(Rename("name", "label"), KeepColumns(("label", "id"))))
    masked = replace(REQUEST, transforms=(Mask("name", Masking.REDACT),))

    assert build(BY_COLUMNS).extract("right", build_source(), renamed).rows_written == 100
    assert build(BY_COLUMNS, None, WrongNames).extract("masked", build_source(), masked).rows_written == 100
    with pytest.raises(VerificationError, match="column 'label' on disk differs from the source in its least"):
        build(BY_COLUMNS, None, WrongNames).extract("wrong", build_source(), renamed)


def test_filtered_rows_cannot_be_verified_by_columns(build: Build):
    """The server's figures are of all rows: refused before a connection is opened."""
    server = FakeServer()
    request = replace(REQUEST, transforms=(KeepRows(Filter("id", Operator.LESS, (30,))),))

    with pytest.raises(UsageError, match="verify by count, or filter in the source"):
        build(BY_COLUMNS, server).extract("job", build_source(), request)
    assert server.attempts == 0
