"""The CPU clock of another process, as POSIX defines it: all its threads, those that ended too, in ns."""

import sys
import time

# clock_getcpuclockid(3) of Linux: the complement of the process id above three bits that say "scheduler's time of a process".
_SCHEDULED = 2


def read_cpu_s(pid: int) -> float | None:
    """CPU seconds of a process so far, children excluded; None where the system cannot tell.

    One system call of some 2 us: /proc counts in ticks of 10 ms, which is too coarse for a block of a quarter of a second.
    """
    if sys.platform != "linux":
        return None
    try:
        return time.clock_gettime(~pid << 3 | _SCHEDULED)
    except OSError:
        return None
