import pytest

from jivsbench.analysis.signed_rank import estimate_centre, least_pairs


@pytest.mark.parametrize(
    ("pairs", "critical"),
    # Two-sided 5 % critical values of the signed-rank sum, from the published tables.
    [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (12, 13), (15, 25), (20, 52), (25, 89), (30, 137)],
)
def test_the_interval_drops_as_many_walsh_averages_as_the_published_tables_say(pairs, critical):
    """Powers of two make every Walsh average distinct, so the bounds tell how many were dropped on each side."""
    differences = [float(2**n) for n in range(pairs)]
    averages = sorted((a + b) / 2 for i, a in enumerate(differences) for b in differences[i:])

    centre = estimate_centre(differences, 0.95)
    assert averages.index(centre.low) == critical
    assert averages[::-1].index(centre.high) == critical


def test_above_thirty_pairs_the_normal_approximation_is_not_narrower_than_the_exact_interval():
    """For 40 pairs the published critical value is 264; the approximation may only be wider."""
    differences = [float(2**n) for n in range(40)]
    averages = sorted((a + b) / 2 for i, a in enumerate(differences) for b in differences[i:])

    centre = estimate_centre(differences, 0.95)
    assert 262 <= averages.index(centre.low) <= 264


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_too_few_pairs_have_an_estimate_but_no_interval(pairs):
    """Five pairs cannot show 95 %: even five equal signs happen by chance in 6 % of runs."""
    centre = estimate_centre([0.5] * pairs, 0.95)

    assert centre.estimate == 0.5
    assert (centre.low, centre.high) == (None, None)
    assert least_pairs(0.95) == 6


def test_the_estimate_is_the_median_of_the_walsh_averages():
    """One outlier of three moves it little: averages are 0, .5, 1, 5, 5.5, 10."""
    assert estimate_centre([0.0, 1.0, 10.0], 0.95).estimate == 3.0


def test_equal_differences_have_an_interval_of_no_width():
    """Without any spread the effect is known exactly."""
    centre = estimate_centre([0.25] * 8, 0.95)

    assert (centre.low, centre.estimate, centre.high) == (0.25, 0.25, 0.25)


def test_no_differences_have_no_centre():
    """Nothing measured is an error of the caller, never 0."""
    with pytest.raises(ValueError, match="no differences"):
        estimate_centre([], 0.95)
