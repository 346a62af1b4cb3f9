"""Asks the kernel to let this process run as soon as it wakes, also when all cores are busy.

A target on the same machine keeps the cores busy for whole time slices, and a generator that waits for one of them to end sends
late. Since Linux 6.12 any process may ask for slices shorter than the others' (EEVDF's `sched_runtime`): one with a shorter slice
need not wait for a longer one to end. Whoever may lower its niceness, as root may, also gets what CPU it needs at once. Both
change when the generator's work is done, and not how much of it there is.
"""

import ctypes
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_SLICE_NS: Final = 100_000
"""The shortest that the kernel takes."""
_NICE: Final = -10
_CALLS: Final = {"x86_64": (314, 315), "aarch64": (274, 275)}
"""sched_setattr and sched_getattr, which the C library knows only by their numbers."""
_THIS_PROCESS: Final = 0
_AUTOGROUP: Final = Path("/proc/self/autogroup")


class _SchedulingAttributes(ctypes.Structure):
    """The first version of `struct sched_attr`, see sched_setattr(2)."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime_ns", ctypes.c_uint64),
        ("deadline_ns", ctypes.c_uint64),
        ("period_ns", ctypes.c_uint64),
    )


def take_precedence() -> None:
    """Ask for both. Where the kernel grants neither, or this process has a real-time class, nothing changes."""
    attributes = _read()
    if attributes is None or attributes.policy != os.SCHED_OTHER:
        return
    attributes.runtime_ns = _SLICE_NS
    nice, attributes.nice = attributes.nice, min(attributes.nice, _NICE)
    if not _write(attributes):
        attributes.nice = nice
        _write(attributes)
    elif os.getsid(0) == os.getpid() and _AUTOGROUP.exists():
        # Where every session is a group, niceness counts among the processes of one group alone; this session is ours.
        with suppress(OSError):
            _AUTOGROUP.write_text(str(_NICE))


def describe_precedence() -> tuple[str, ...]:
    """What the kernel says this process has: short slices, a niceness below 0."""
    attributes = _read()
    if attributes is None or attributes.policy != os.SCHED_OTHER:
        return ()
    # Kernels before 6.12 know no slices of a process's own, and say 0.
    slices = f"time slices of {attributes.runtime_ns / 1e6:g} ms" if attributes.runtime_ns == _SLICE_NS else ""
    return tuple(filter(None, (slices, f"niceness {attributes.nice}" if attributes.nice < 0 else "")))


def _write(attributes: _SchedulingAttributes) -> bool:
    return _call(0, ctypes.byref(attributes), 0)


def _read() -> _SchedulingAttributes | None:
    attributes = _SchedulingAttributes()
    size = ctypes.sizeof(attributes)
    return attributes if _call(1, ctypes.byref(attributes), size, 0) else None


def _call(which: int, *arguments: object) -> bool:
    numbers = _CALLS.get(platform.machine()) if sys.platform == "linux" else None
    if numbers is None:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.syscall(ctypes.c_long(numbers[which]), _THIS_PROCESS, *arguments) == 0)
