"""Numbers for people: units, separators, and rounding that never flatters."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jivsbench.model import formatting
from jivsbench.model.gate import Unit
from jivsbench.model.metrics import Direction
from jivsbench.report.literal import show_literally

LOWER, HIGHER = Direction.LOWER, Direction.HIGHER


@pytest.mark.parametrize(
    ("value", "unit", "better", "text"),
    [
        (20238.0, Unit.RECORDS_PER_MINUTE, HIGHER, "20,238 records/min"),
        (20238.9, Unit.RECORDS_PER_MINUTE, HIGHER, "20,238 records/min"),
        (200.1, Unit.MILLISECONDS, LOWER, "201 ms"),
        (12.31, Unit.MILLISECONDS, LOWER, "12.4 ms"),
        (0.1561, Unit.MILLISECONDS, LOWER, "0.157 ms"),
        (1850.2, Unit.MEBIBYTES, LOWER, "1,851 MiB"),
        (100.0, Unit.PERCENT, HIGHER, "100 %"),
        (99.96, Unit.PERCENT, HIGHER, "99.9 %"),
        (99.9999, Unit.PERCENT, None, "99.9999 %"),
        (99.99999999, Unit.PERCENT, LOWER, "> 99.9999 %"),
        (0.0, Unit.PERCENT, LOWER, "0 %"),
        (0.0004, Unit.PERCENT, LOWER, "0.01 %"),
        (0.0004, Unit.PERCENT, HIGHER, "< 0.01 %"),
        (0.07 * 100, Unit.PERCENT, LOWER, "7.0 %"),
        (3.0, Unit.COUNT, LOWER, "3"),
        (None, Unit.PERCENT, None, "not measured"),
        (math.nan, Unit.PERCENT, None, "not measured"),
        (math.inf, Unit.MILLISECONDS, LOWER, "not measured"),
    ],
)
def test_quantities_carry_their_unit_and_lean_against_the_target(
    value: float | None, unit: Unit, better: Direction | None, text: str
) -> None:
    """Known values read as expected."""
    assert formatting.format_quantity(value, unit, better) == text


@given(st.floats(0, 1e9), st.sampled_from(list(Unit)))
def test_rounding_never_flatters(value: float, unit: Unit) -> None:
    """A figure that should fall is never shown lower than it is, one that should rise never higher."""
    falling = formatting.format_number(value, unit, LOWER)
    rising = formatting.format_number(value, unit, HIGHER)

    assert falling.startswith((">", "<")) or float(falling.replace(",", "")) >= value * (1 - 1e-8)
    assert rising.startswith((">", "<")) or float(rising.replace(",", "")) <= value * (1 + 1e-8)


@given(st.floats(0, 100, exclude_min=True, exclude_max=True), st.sampled_from([LOWER, HIGHER, None]))
def test_only_all_and_nothing_read_as_such(value: float, better: Direction | None) -> None:
    """100 % and 0 % are kept for values that are exactly that."""
    text = formatting.format_number(value, Unit.PERCENT, better)

    assert text.startswith((">", "<")) or 0 < float(text) < 100


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (249.96, 250.0, "249.96 ms"),
        (249.6, 250.0, "249.6 ms"),
        (250.0, 250.0, "250 ms"),
        (250.04, 250.0, "251 ms"),
        (500.0000001, 500.0, "> 500 ms"),
        (499.99999999, 500.0, "< 500 ms"),
        (4.9631, 4.97, "4.964 ms"),
        (4.9631, 4.9631, "4.9631 ms"),
        (123.4, 123.6, "123.4 ms"),
        (1 / 3, 1 / 3, "0.3333333333333333 ms"),
    ],
)
def test_a_value_shows_on_which_side_of_its_limit_it_lies(value: float, limit: float, text: str) -> None:
    """As many digits as it takes, and a sign where no digit would be read."""
    assert formatting.format_beside(value, limit, Unit.MILLISECONDS, LOWER) == text


@given(
    st.floats(0, 1e6) | st.floats(0, 101),
    st.lists(st.floats(0, 1e6) | st.floats(0, 101) | st.sampled_from([0.0, 1.0, 5.0, 99.99995, 100.0]), min_size=1, max_size=3),
    st.sampled_from(list(Unit)),
    st.sampled_from([LOWER, HIGHER, None]),
)
@example(4.963, [5.0, 4.97], Unit.PERCENT, LOWER)
@example(0.007, [0.005], Unit.RECORDS_PER_MINUTE, HIGHER)
def test_no_rounding_carries_a_value_onto_or_across_a_limit(value, limits, unit, better) -> None:
    """Read as a number the text lies on the value's side of each limit; or it names one of them with the right sign."""
    text = formatting.format_among(value, limits, unit, better).removesuffix(unit.value).strip().replace(",", "")
    sign, number = text[:2] if text[:1] in "<>" else "", float(text.lstrip("<> "))

    for limit in limits:
        if sign and number == limit:
            assert (value > limit) == (sign == "> ")
            return
    for limit in limits if not sign else ():
        assert (number > limit, number < limit) == (value > limit, value < limit) or number in limits


def test_intervals_are_rounded_outwards() -> None:
    """An interval is never shown narrower than it is."""
    assert formatting.format_interval(84.26, 85.81, Unit.PERCENT) == "84.2 \N{EN DASH} 85.9 %"
    assert formatting.format_ratio_interval(0.14289, 0.15281) == "0.142 \N{EN DASH} 0.153"
    assert formatting.format_ratio_interval(None, 1.0) == "no interval"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.25 s"), (59.0, "59 s"), (60.0, "1 min"), (90.0, "1 min 30 s"), (7800.0, "2 h 10 min")]
)
def test_durations_use_the_largest_units(seconds: float, text: str) -> None:
    """A length of time reads as people say it."""
    assert formatting.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2030-01-02T03:04:05", "2030-01-02 03:04:05 UTC"),
        ("2030-01-02T03:04:05+02:00", "2030-01-02 01:04:05 UTC"),
        ("<b>", "<b>"),
    ],
)
def test_moments_are_in_utc(moment: str, text: str) -> None:
    """A moment without a zone is UTC already; text that is none stays."""
    assert formatting.format_moment(moment) == text


@example("\u05eb")
@given(st.text(st.characters(exclude_categories=())))
def test_literal_text_has_no_invisible_characters(text: str) -> None:
    """Nothing that hides, turns or controls is left, and the result can always be written as UTF-8 and XML."""
    shown = show_literally(text)

    assert all(
        character.isprintable() or character in "\n\t" or character.isspace() for character in shown if character < "\u3000"
    )
    assert not set(shown) & set("\x00\x1b\u202e\u200b\ufeff\r")
    shown.encode()
