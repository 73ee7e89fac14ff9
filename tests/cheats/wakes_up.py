"""A timer of its own wakes it when it is suspended, and a thread computes on the core on which others are timed."""

import ctypes
import signal
import struct
import time
from threading import Thread

from _right import Right

EVERY = 2_000_000


class Timer:
    def __init__(self):
        self.libc, self.timer = ctypes.CDLL(None), ctypes.c_void_p()
        signal.signal(signal.SIGCONT, lambda *_: None)
        self.libc.timer_create(time.CLOCK_MONOTONIC, struct.pack("=Qii48x", 0, signal.SIGCONT, 0), ctypes.byref(self.timer))

    def start(self):
        """Again and again: a stop discards a signal that waits, and the kernel never sets that timer again."""
        self.libc.timer_settime(self.timer, 0, struct.pack("=4q", 0, EVERY, 0, EVERY), None)


class WakesUp(Right):
    seen = timer = None

    def step(self):
        if WakesUp.timer is None:
            WakesUp.timer = Timer()
            Thread(target=self.spin, daemon=True).start()
        self.timer.start()
        WakesUp.seen = time.monotonic()
        return super().step()

    @staticmethod
    def spin():
        while True:
            if time.monotonic() - WakesUp.seen < 0.05:
                time.sleep(0.001)
