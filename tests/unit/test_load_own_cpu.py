"""How busy the generator was at its busiest, from one reading of its CPU clock a second."""

import pytest

from jivsbench.load.worker.own_cpu import CpuWatch


def look_each_second(used_s: list[float]) -> CpuWatch:
    """One look a second, a little late as timers are, after so much CPU time in each."""
    watch, cpu_s = CpuWatch(), 3.0
    watch.look(0.0, cpu_s)
    for second, used in enumerate(used_s, start=1):
        cpu_s += used
        watch.look(second + 0.0004 * (second % 3), cpu_s)
    return watch


def test_a_peak_shows_that_the_mean_hides() -> None:
    """Half idle for a minute, saturated for twelve seconds of it."""
    watch = look_each_second([0.3] * 30 + [0.95] * 12 + [0.3] * 18)

    assert watch.highest_ratio() == pytest.approx(0.95, rel=0.001)
    assert watch.mean_ratio() == pytest.approx((0.3 * 48 + 0.95 * 12) / 60, rel=0.001)


def test_one_busy_second_is_no_peak() -> None:
    """Over 10 s it is a tenth."""
    assert look_each_second([0.1] * 20 + [1.0] + [0.1] * 20).highest_ratio() == pytest.approx(0.19, rel=0.001)


def test_a_short_load_is_its_own_busiest_stretch() -> None:
    """Five seconds, and no look at all."""
    assert look_each_second([0.2, 0.4, 0.6, 0.4, 0.4]).highest_ratio() == pytest.approx(0.4, rel=0.001)
    for idle in (CpuWatch(), look_each_second([])):
        assert (idle.mean_ratio(), idle.highest_ratio()) == (None, None)


def test_a_rest_is_left_out() -> None:
    """The clock stands still while the load rests: no look in it counts, and the seconds around it are adjacent."""
    watch = look_each_second([0.9] * 5)
    for _ in range(100):
        watch.look(5.0, 7.5)
    for second in range(6, 11):
        watch.look(float(second), 7.5 + 0.9 * (second - 5))

    assert watch.highest_ratio() == pytest.approx(0.9, rel=0.001)
