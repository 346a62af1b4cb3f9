"""Wakes a greenlet at a moment, to some 0.05 ms.

`gevent.sleep` rounds up to whole milliseconds of epoll and wakes 0.6 ms late in the middle; a timer of the kernel's own,
watched like a socket, does not. Off Linux there is no timerfd: then `gevent.sleep` has to do.
"""

import ctypes
import os
import sys
import time
from types import TracebackType
from typing import Final, Self

import gevent

_NS_PER_S: Final = 1_000_000_000
_CLOCK_MONOTONIC: Final = 1
_TFD_NONBLOCK_CLOEXEC: Final = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_TFD_TIMER_ABSTIME: Final = 1
_READ_EVENT: Final = 1
PACING: Final = "timerfd" if sys.platform == "linux" else "sleep"
"""What alarms wait with on this system, for the report."""


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """One greenlet's own timer, on the clock of `time.monotonic_ns`."""

    def __init__(self) -> None:
        self._fd: int | None = None
        if PACING == "timerfd":
            self._libc = ctypes.CDLL(None, use_errno=True)
            fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
            if fd < 0:
                raise OSError(ctypes.get_errno(), "timerfd_create failed")
            self._fd = fd
            self._watcher = gevent.get_hub().loop.io(fd, _READ_EVENT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def wait_until(self, at_ns: int) -> None:
        """Let others run until that moment; at least once, even when it has passed."""
        left_ns = at_ns - time.monotonic_ns()
        if left_ns <= 0 or self._fd is None:
            gevent.sleep(max(left_ns, 0) / _NS_PER_S)
            return
        moment = _Itimerspec(_Timespec(0, 0), _Timespec(*divmod(at_ns, _NS_PER_S)))
        if self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(moment), None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime failed")
        gevent.get_hub().wait(self._watcher)

    def close(self) -> None:
        """Give the timer back to the kernel. May be called twice."""
        if self._fd is not None:
            self._watcher.close()
            os.close(self._fd)
            self._fd = None
