from itertools import product

import pytest

from jivsbench.analysis.signed_rank import MAX_EXACT_PAIRS, estimate_centre, least_pairs


@pytest.mark.parametrize(
    ("pairs", "critical"),
    # Two-sided 5 % critical values of the signed-rank sum, from the published tables.
    [(12, 13), (15, 25), (20, 52), (25, 89), (30, 137), (40, 264), (50, 434)],
)
def test_the_interval_drops_as_many_walsh_averages_as_the_published_tables_say(pairs, critical):
    """Powers of two make every Walsh average distinct, so the bounds tell how many were dropped on each side."""
    differences = [float(2**n) for n in range(pairs)]
    averages = sorted((a + b) / 2 for i, a in enumerate(differences) for b in differences[i:])

    centre = estimate_centre(differences, 0.95)
    assert averages.index(centre.low) == critical
    assert averages[::-1].index(centre.high) == critical


def test_many_pairs_take_the_normal_approximation_which_is_hardly_other_than_the_exact_interval():
    """One pair more than the exact interval is used for drops about as many averages more as one pair more should."""
    kept = []
    for pairs in (MAX_EXACT_PAIRS - 1, MAX_EXACT_PAIRS, MAX_EXACT_PAIRS + 1):
        differences = [float(n) ** 2 for n in range(pairs)]
        averages = sorted((a + b) / 2 for i, a in enumerate(differences) for b in differences[i:])
        kept.append(averages.index(estimate_centre(differences, 0.95).low))

    assert kept[1] - kept[0] == pytest.approx(kept[2] - kept[1], abs=3)


@pytest.mark.parametrize("pairs", [6, 8, 11])
@pytest.mark.parametrize("confidence", [0.95, 0.9])
def test_few_pairs_have_the_interval_that_all_choices_of_signs_give(pairs, confidence):
    """A centre inside is not rejected when every sign is flipped in every way; one just outside is."""
    differences = [((7 * n) % 11) ** 1.5 - 9.0 for n in range(pairs)]

    def p_value(centre: float) -> float:
        shifted = [difference - centre for difference in differences]
        sums = [abs(sum(s * d for s, d in zip(signs, shifted, strict=True))) for signs in product((1, -1), repeat=pairs)]
        return sum(total >= abs(sum(shifted)) - 1e-9 for total in sums) / len(sums)

    found = estimate_centre(differences, confidence)
    width = found.high - found.low
    for inside in (found.low + width * 1e-6, found.estimate, found.high - width * 1e-6):
        assert p_value(inside) > 1 - confidence
    for outside in (found.low - width * 1e-6, found.high + width * 1e-6):
        assert p_value(outside) <= 1 - confidence


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_too_few_pairs_have_an_estimate_but_no_interval(pairs):
    """Five pairs cannot show 95 %: even five equal signs happen by chance in 6 % of runs."""
    centre = estimate_centre([0.5] * pairs, 0.95)

    assert centre.estimate == 0.5
    assert (centre.low, centre.high) == (None, None)


@pytest.mark.parametrize(("confidence", "least"), [(0.95, 6), (0.9375, 5), (0.99, 8), (0.999_99, 18)])
def test_the_least_number_of_pairs_follows_from_the_confidence(confidence, least):
    """With one pair fewer even all signs being equal is too likely by chance."""
    assert least_pairs(confidence) == least
    assert estimate_centre([float(n) for n in range(least)], confidence).low is not None
    assert estimate_centre([float(n) for n in range(least - 1)], confidence).low is None


def test_the_estimate_is_the_median_of_the_walsh_averages():
    """One outlier of three moves it little: averages are 0, .5, 1, 5, 5.5, 10."""
    assert estimate_centre([0.0, 1.0, 10.0], 0.95).estimate == 3.0


@pytest.mark.parametrize("pairs", [8, 20, 120])
def test_equal_differences_have_an_interval_of_no_width(pairs):
    """Without any spread the effect is known exactly."""
    centre = estimate_centre([0.25] * pairs, 0.95)

    assert (centre.low, centre.estimate, centre.high) == (0.25, 0.25, 0.25)


def test_no_differences_have_no_centre():
    """Nothing measured is an error of the caller, never 0."""
    with pytest.raises(ValueError, match="no differences"):
        estimate_centre([], 0.95)
