"""Answers that are looked up once, also where a question leads back to itself: then until the answer no longer changes."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

_Answer = TypeVar("_Answer")
_NOWHERE: Final = 1 << 30


@dataclass(slots=True)
class Recollection(Generic[_Answer]):
    """What is known by now. `join` gives the worse of two answers; there are few, so that it comes to an end.

    An answer that was found while an outer question was still open holds only as long as the guess about that one: it is kept
    apart, and becomes known with the outer one.
    """

    join: Callable[[_Answer, _Answer], _Answer]
    _known: dict[Hashable, _Answer] = field(default_factory=dict)
    _open: dict[Hashable, tuple[int, _Answer]] = field(default_factory=dict)
    """Depth of, and guess about, each question that is being answered."""
    _waiting: dict[Hashable, tuple[int, _Answer]] = field(default_factory=dict)
    """Answers that rest on a guess, and the depth of the outermost one."""
    _outermost: int = _NOWHERE
    """Depth of the outermost guess that the question being answered rests on."""

    def find(self, key: Hashable, answer: Callable[[], _Answer], guess: _Answer) -> _Answer:
        """The answer; `guess` is the least that it can be."""
        if key in self._known:
            return self._known[key]
        rests_on, found = self._open.get(key) or self._waiting.get(key) or (_NOWHERE, None)
        if found is not None:
            self._outermost = min(self._outermost, rests_on)
            return found
        return self._answer(key, answer, guess)

    def forget_open(self) -> None:
        """Start anew after an error: what is known stays known."""
        self._open.clear()
        self._waiting.clear()
        self._outermost = _NOWHERE

    def _answer(self, key: Hashable, answer: Callable[[], _Answer], guess: _Answer) -> _Answer:
        depth, before, outside = len(self._open), len(self._waiting), self._outermost
        while True:
            self._open[key] = depth, guess
            self._outermost = _NOWHERE
            found = self.join(guess, answer())
            if self._outermost > depth or found == guess:
                break
            guess = found
            self._drop_waiting(before)
        del self._open[key]
        if self._outermost >= depth:
            self._known[key] = found
            self._known |= {one: waiting for one, (_, waiting) in self._drop_waiting(before).items()}
            self._outermost = outside
        else:
            self._waiting[key] = self._outermost, found
            self._outermost = min(outside, self._outermost)
        return found

    def _drop_waiting(self, count: int) -> dict[Hashable, tuple[int, _Answer]]:
        """Those that came after the first `count`."""
        return {one: self._waiting.pop(one) for one in list(self._waiting)[count:]}
