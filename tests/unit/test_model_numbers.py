"""Numbers that came as text: exactly, or not at all, and never at the price of the process."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jivsbench.errors import ExtractionError, TypePolicyError, UsageError
from jivsbench.extract.transforms.casting import build_cast
from jivsbench.extract.transforms.filtering import build_condition
from jivsbench.model.filtering import apply_filters
from jivsbench.model.filters import Filter, Operator
from jivsbench.model.numbers import build_fit, parse_decimals, parse_number

MONEY = pa.decimal128(10, 2)
TINY = ("1e-77", "1e-99", "0." + "0" * 60 + "1", "1e-999999999", "0e-999999999", "-1e-2147483648")
"""Arrow reads past the end of its table for each of them: a wrong zero, or the end of the process."""


@pytest.mark.parametrize(
    "text", ["1_000", "٣", "nan", "inf", "-Infinity", "1e1000", "1e999999999", "0x10", "", " 1", "1 ", "1\n", "1,5"]
)
def test_only_what_a_database_writes_is_a_number(text):
    """Python's own reader takes more."""
    with pytest.raises(ValueError, match=r"^$"):
        parse_number(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_a_decimals_own_text_is_that_decimal(number):
    """Whatever its exponent."""
    assert parse_number(str(number)) == number


@given(st.lists(st.none() | st.decimals(min_value=-(10**7), max_value=10**7, places=2), max_size=5), st.booleans())
def test_texts_become_the_decimals_that_they_are(numbers, with_exponent):
    """With an exponent or without; NULL stays NULL."""
    texts = [None if number is None else f"{number:E}" if with_exponent else str(number) for number in numbers]

    assert parse_decimals(pa.array(texts, pa.string()), MONEY).to_pylist() == numbers


@pytest.mark.parametrize(
    ("text", "precision", "scale"),
    [("17.5", 38, 38), ("44560", 38, 35), ("7494172160200.8", 38, 37), ("9" * 38 + "." + "0" * 38, 38, 38), ("99", 38, 37)],
)
def test_a_number_past_128_bits_is_refused_and_no_other_one(text, precision, scale):
    """Arrow computes each of them in bits that run over, and finds that what is left fits."""
    with pytest.raises(pa.ArrowInvalid):
        parse_decimals(pa.array(["0", text, None]), pa.decimal128(precision, scale))
    with pytest.raises(TypePolicyError, match="column 'a'"):
        build_cast("a", pa.string(), f"decimal({precision},{scale})")[1](pa.array([text]))


@given(
    st.integers(1, 38).flatmap(lambda precision: st.tuples(st.just(precision), st.integers(0, precision))),
    st.from_regex(r"\A[+-]?[0-9]{1,38}(\.[0-9]{1,38}|\.0{1,38})?\Z"),
)
def test_a_text_is_read_exactly_or_not_at_all(size, text):
    """Of every size, and with zeros in front and behind."""
    try:
        (found,) = parse_decimals(pa.array([text]), pa.decimal128(*size)).to_pylist()
    except pa.ArrowInvalid:
        with pytest.raises(ValueError, match=r"^$"):
            build_fit(pa.decimal128(*size))(parse_number(text))
    else:
        assert found == parse_number(text)


@pytest.mark.parametrize("text", [*TINY, "1.001", "123456789.00", "1e8", "x"])
def test_a_text_that_does_not_fit_is_refused(text):
    """Alone and among others, as a value to cast, and as the value of a filter."""
    with pytest.raises(pa.ArrowInvalid):
        parse_decimals(pa.array(["1.00", text, None]), MONEY)
    with pytest.raises(TypePolicyError, match="column 'a'"):
        build_cast("a", pa.string(), "decimal(10,2)")[1](pa.array([text]))
    for operator in (Operator.EQUAL, Operator.IN):
        where = Filter("a", operator, (text,))
        with pytest.raises(UsageError, match="column 'a'"):
            build_condition(where, MONEY)
        with pytest.raises(ExtractionError, match="column 'a'"):
            apply_filters(pa.table({"a": pa.array([Decimal(1)], MONEY)}), (where,))


def test_a_number_is_fitted_without_losing_a_digit():
    """Zeros are none."""
    fit = build_fit(MONEY)

    assert str(fit(Decimal("1.5000"))) == "1.50"
    for number in ("1.001", "1e8", "NaN", "Infinity", "1e-999999999"):
        with pytest.raises(ValueError, match=r"^$"):
            fit(Decimal(number))


@pytest.mark.parametrize("operator", [Operator.EQUAL, Operator.IN, Operator.LIKE])
def test_half_a_surrogate_pair_is_no_value_to_compare_with(operator):
    """It is no character."""
    where = Filter("a", operator, ("\ud800",))

    with pytest.raises(UsageError, match="column 'a'"):
        build_condition(where, pa.string())
    with pytest.raises(ExtractionError, match="column 'a'"):
        apply_filters(pa.table({"a": ["x"]}), (where,))


@pytest.mark.parametrize("operator", [Operator.EQUAL, Operator.IN, Operator.LESS])
def test_a_filter_reads_no_number_of_another_base(operator):
    """Arrow takes 0x1A for 26, which no database does."""
    where = Filter("a", operator, ("0x1A",))

    with pytest.raises(UsageError, match="column 'a'"):
        build_condition(where, pa.int64())
    with pytest.raises(ExtractionError, match="column 'a'"):
        apply_filters(pa.table({"a": [26]}), (where,))
