"""Dies of a signal."""

import os
import signal

from _late import Late


class Segfaults(Late):
    def break_down(self):
        os.kill(os.getpid(), signal.SIGSEGV)
