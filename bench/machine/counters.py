"""Hardware counters of a process and of all that it starts from now on, read from outside: the kernel counts, so nobody has to
be believed.

Where the kernel has none to give, they are unknown, with a reason. A read takes some microseconds: it must never stand between
two readings of the clock.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

CALL = {"x86_64": 298, "aarch64": 241}
"""The number of perf_event_open(2), which no C library wraps."""
ATTRIBUTES = struct.Struct("=IIQQQQQIIQ")  # <linux/perf_event.h>: struct perf_event_attr as of its first version
TIMES, INHERIT, USER_ONLY = 0b11, 1 << 1, 0b11 << 5  # how long it was wanted and counted; not of kernel and hypervisor
ON_ANY_CPU, NO_GROUP, CLOSE_ON_EXEC = -1, -1, 1 << 3
READ = struct.Struct("=QQQ")


FORBIDDEN = "the kernel forbids it"


class Event(NamedTuple):
    type: int
    config: int


EVENTS = {
    "instructions": Event(0, 1),
    "cycles": Event(0, 0),
    "l1_misses": Event(3, 1 << 16),  # loads that the first level of the data cache does not have
    "cache_misses": Event(0, 3),  # of the level that the kernel chooses for this processor, usually the last
}
"""What is counted, in user space alone: more is not for everybody to see."""


class Counters:
    """Of a process `pid` that has just been started: a thread that it has already is not counted. Raises nothing.

    `missing` has, for each event that cannot be counted here, a phrase that says why.
    """

    def __init__(self, pid: int, events: Mapping[str, Event] = EVENTS) -> None:
        self._files: dict[str, int] = {}
        self.missing: dict[str, str] = {}
        for name, event in events.items():
            try:
                self._files[name] = _opened(pid, event)
            except OSError as error:
                self.missing[name] = _why(error)

    def read(self) -> dict[str, int]:
        """What was counted so far. An event that had to share its counter with others was not counted all the time, and is
        left out.
        """
        counts = {}
        for name, file in self._files.items():
            count, wanted, running = READ.unpack(os.read(file, READ.size))
            if running == wanted:
                counts[name] = count
        return counts

    def close(self) -> None:
        """Also a second time."""
        while self._files:
            with suppress(OSError):
                os.close(self._files.popitem()[1])


def between(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """What was counted between two reads."""
    return {name: after[name] - before[name] for name in before if name in after}


def _opened(pid: int, event: Event) -> int:
    """The file that an event is read from. Raises `OSError`."""
    if platform.machine() not in CALL:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    attributes = ATTRIBUTES.pack(event.type, ATTRIBUTES.size, event.config, 0, 0, TIMES, INHERIT | USER_ONLY, 0, 0, 0)
    number, *rest = map(ctypes.c_long, (CALL[platform.machine()], pid, ON_ANY_CPU, NO_GROUP, CLOSE_ON_EXEC))
    file = ctypes.CDLL(None, use_errno=True).syscall(number, attributes, *rest)
    if file < 0:
        raise OSError(error := ctypes.get_errno(), os.strerror(error))
    return int(file)


def _why(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return FORBIDDEN
    if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV):
        return "the kernel has no counter for it, as in most virtual machines"
    return error.strerror or "unknown"
