"""The breaker alone: one probe at a time, nothing remembered is lost between two threads."""

from hypothesis import given
from hypothesis import strategies as st

from jivsbench_redis.breaker import EVERYTHING, NOTHING, Admission, Breaker, Invalidations


class Clock:
    """A clock that a test turns by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def keys(*names: str) -> Invalidations:
    """Invalidations of these keys."""
    return Invalidations(keys=frozenset(names))


def test_only_one_probe_at_a_time() -> None:
    """While one caller looks, all others stay away."""
    clock = Clock()
    breaker = Breaker(1.0, clock)
    breaker.trip()
    clock.now_s = 1.0

    assert [breaker.admit() for _ in range(3)] == [Admission.PROBE, Admission.REFUSED, Admission.REFUSED]


def test_what_is_refused_during_the_probe_keeps_the_breaker_open() -> None:
    """An invalidation that comes while the probe works is handed to the probe, which must come back for it."""
    clock = Clock()
    breaker = Breaker(1.0, clock)
    breaker.trip(keys("a"))
    clock.now_s = 1.0
    breaker.admit()

    assert breaker.take_or_close() == keys("a")
    breaker.admit(keys("b"))
    assert breaker.take_or_close() == keys("b")
    assert breaker.take_or_close() == NOTHING
    assert breaker.admit() is Admission.CALL


def test_a_failed_probe_gives_back_what_it_took() -> None:
    """Nothing is forgotten by the host that was not forgotten by the server."""
    clock = Clock()
    breaker = Breaker(1.0, clock)
    breaker.trip(keys("a"))
    clock.now_s = 1.0
    breaker.admit()
    breaker.fail_probe(breaker.take_or_close())
    assert breaker.admit(keys("b")) is Admission.REFUSED
    clock.now_s = 2.0

    assert breaker.admit() is Admission.PROBE
    assert breaker.take_or_close() == keys("a", "b")


@given(st.lists(st.text(max_size=3), max_size=30), st.lists(st.text(min_size=1, max_size=3), max_size=30))
def test_joining_forgets_no_key(first: list[str], second: list[str]) -> None:
    """Whatever is joined in whatever order still covers every key."""
    joined = Invalidations(frozenset(first)).join(Invalidations(prefixes=frozenset(second)))

    assert joined == Invalidations(prefixes=frozenset(second)).join(Invalidations(frozenset(first)))
    assert all(key in joined.keys for key in first)
    assert joined.prefixes == frozenset(second)


def test_more_than_a_thousand_become_everything() -> None:
    """The bound that keeps the memory small keeps the promise too."""
    assert keys(*map(str, range(600))).join(keys(*map(str, range(500, 1001)))) == EVERYTHING
    assert EVERYTHING.join(keys("a")) == EVERYTHING
