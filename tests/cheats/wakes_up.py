"""A timer wakes it when it is stopped, and a thread computes on the core of the baseline."""

import ctypes
import signal
import struct
import time
from threading import Thread

from tests.sabotaged._right import Right

LIBC, TIMER, EVERY = ctypes.CDLL(None), ctypes.c_void_p(), 2_000_000
EVENT = struct.pack("=Qii48x", 0, signal.SIGCONT, 0)


class WakesUp(Right):
    seen = 0.0

    def step(self):
        if not WakesUp.seen:
            signal.signal(signal.SIGCONT, lambda *_: None)
            LIBC.timer_create(time.CLOCK_MONOTONIC, EVENT, ctypes.byref(TIMER))
            Thread(target=self.spin, daemon=True).start()
        LIBC.timer_settime(TIMER, 0, struct.pack("=4q", 0, EVERY, 0, EVERY), None)
        WakesUp.seen = time.monotonic()
        return super().step()

    @staticmethod
    def spin():
        while True:
            if time.monotonic() - WakesUp.seen < 0.05:
                time.sleep(0.001)
