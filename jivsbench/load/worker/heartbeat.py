"""Watches the generator itself: how late a greenlet runs that wants to run every 10 ms.

In a closed loop a busy generator does not send late, it *sees* answers late, and no operation's own lag shows it. A beat
that is missed counts with the lateness it has once the generator goes on, so a freeze of a second counts a hundred times.
"""

import time
from typing import Final

import gevent

from jivsbench.load.worker.alarm import Alarm
from jivsbench.model.histogram import HistogramBuilder

PERIOD_NS: Final = 10_000_000
FREEZE_NS: Final = 1_000_000_000


class Heartbeat:
    """Beats from `start` until `stop`."""

    def __init__(self) -> None:
        self._lag = HistogramBuilder()
        self._longest_ns = 0
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._greenlet = gevent.spawn(self._beat)

    def stop(self) -> None:
        """Beat no more."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def freeze_ns(self) -> float | None:
        """The longest time without a beat, when it was a freeze, however rare; None without one.

        Shorter ones are not held against a run: on cores that are shared with the target some milliseconds are the
        scheduler's daily bread. They are in every response time, and in the log.
        """
        return float(self._longest_ns) if self._longest_ns > FREEZE_NS else None

    def describe(self) -> str:
        """The beats' lateness in words."""
        lag = self._lag.build()
        figures = (f"p{percent} {(lag.percentile_ns(percent) or 0) / 1e6:.2f} ms" for percent in (50, 95, 99))
        return f"{', '.join(figures)}, longest {lag.max_ns / 1e6:.1f} ms, of {lag.count} beats"

    def _beat(self) -> None:
        with Alarm() as alarm:
            due_ns = time.monotonic_ns()
            while True:
                due_ns += PERIOD_NS
                alarm.wait_until(due_ns)
                now_ns = time.monotonic_ns()
                self._longest_ns = max(self._longest_ns, now_ns - due_ns)
                self._lag.record(now_ns - due_ns)
                while due_ns + PERIOD_NS <= now_ns:
                    due_ns += PERIOD_NS
                    self._lag.record(now_ns - due_ns)
